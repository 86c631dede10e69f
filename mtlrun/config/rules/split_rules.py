"""Rules about the split of the rows."""

from mtlrun.config.schema import Config
from mtlrun.util.errors import RequestError, listing, nearest

FILES = ("val", "test")  # parts that may come from separate files


def one_way_to_split(config: Config) -> None:
    """At most one of by, column and files is given."""
    split = config.data.split
    given = [key for key in ("by", "column", "files") if getattr(split, key) is not None]
    if len(given) > 1:
        raise RequestError(f"data.split: {listing(given)} are all given\nallowed: one of by, column, files")


def fractions(config: Config) -> None:
    """The fractions of a split add up to at most 1."""
    split = config.data.split
    total = split.train + split.val + split.test
    if split.column is None and split.files is None and total > 1 + 1e-9:
        parts = f"train {split.train:g}, val {split.val:g}, test {split.test:g}"
        raise RequestError(f"data.split: {parts} add up to {total:g}\nallowed: at most 1; name all three")


def all_rows(config: Config) -> None:
    """A run on all rows, without val and test, has its length from another run; any other run chooses it on val."""
    split, length_of = config.data.split, config.trainer.length_of
    if split.untested and config.trainer.importance:
        raise RequestError("trainer.importance: needs rows of test\nset it: trainer.importance=false")
    if not split.all_rows:
        if split.val == 0:
            raise RequestError(
                f"data.split: val is 0 and test {split.test:g}\n"
                "allowed: val above 0, or both 0 to train on all rows for the length of another run"
            )
        if length_of is not None:
            raise RequestError(
                "trainer.length_of: only to train on all rows, as this run chooses its length on val\n"
                "add: data.split.val=0 data.split.test=0"
            )
        return
    if config.boosting:
        raise RequestError(
            "data.split: val is 0, and model=boosting chooses its iterations on val\nallowed on all rows: networks"
        )
    if length_of is None:
        raise RequestError(
            "data.split: val is 0 and test 0, so there are no rows to choose the length of the training by\n"
            "name the run that chose it: trainer.length_of=outputs/runs/RUN"
        )
    for key in ("log_activations", "calibrate"):
        if getattr(config.trainer, key):
            raise RequestError(f"trainer.{key}: needs rows of val\nset it: trainer.{key}=false")
    if config.net.pretrain is not None:
        raise RequestError(
            "model.pretrain: with data.split.val=0 the first stage has no length\n"
            "take over the trunk of a run: model.init_from=RUN/pretrain"
        )


def files(config: Config) -> None:
    """Separate files are given for test, or for val and test."""
    named = config.data.split.files
    for part in named or {}:
        if part not in FILES:
            raise RequestError(f"data.split.files.{part}: no such part{nearest(part, FILES)}\nallowed: val, test")
    if named is not None and "test" not in named:
        raise RequestError("data.split.files.test: missing\nset it: data.split.files.test=FILE")
