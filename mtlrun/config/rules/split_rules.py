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


def files(config: Config) -> None:
    """Separate files are given for test, or for val and test."""
    named = config.data.split.files
    for part in named or {}:
        if part not in FILES:
            raise RequestError(f"data.split.files.{part}: no such part{nearest(part, FILES)}\nallowed: val, test")
    if named is not None and "test" not in named:
        raise RequestError("data.split.files.test: missing\nset it: data.split.files.test=FILE")
