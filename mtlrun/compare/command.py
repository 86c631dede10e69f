"""`mtlrun compare`: reads the command line, prints the table and writes the files of the report."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.chosen_on_val import choose
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.fold import fold
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.collect.run_record import Collection
from mtlrun.compare.confirm import confirm
from mtlrun.compare.records import Comparison
from mtlrun.compare.report.opening import PAGE
from mtlrun.compare.report.render import Format, render
from mtlrun.util.errors import RequestError, listing, nearest
from mtlrun.util.terminal import columns, say, shown

FORMATS = get_args(Format)
TEXT: Format = "text"


def compare(folders: Sequence[Path], words: Mapping[str, str]) -> int:
    """Compares the runs in `folders` with the options in `words`. Returns the exit status. Raises RequestError."""
    if not folders:
        raise RequestError("compare: no folder is named\nusage: mtlrun compare DIR... [-o OUT]")
    shape = _format(words)
    options = options_from(words)
    out = _output(folders[0], words)
    collection = collect(folders)
    comparison = analyse(collection, _before_training(options) if "confirm" in words else options)
    if "confirm" in words:
        folder = _confirm(collection, comparison, options, words)
        return compare([folder], {k: v for k, v in words.items() if k not in ("confirm", "tune", "by")})
    comparison = replace(comparison, page=shown(out / PAGE))
    say(render(comparison, shape, columns()).removesuffix("\n"))
    from mtlrun.compare.report.page import PICTURES, write_outputs  # matplotlib, jinja2

    with _writing(out):
        written = write_outputs(comparison, out)
    if shape == TEXT:
        names = [os.path.relpath(path) for path in written]
        others = [name for name in names if not name.endswith(PICTURES)]
        pictures = (len(names) - len(others)) // len(PICTURES)
        say("\n" + "\n".join([*others, *([f"{pictures} pictures, as PNG and SVG"] if pictures else [])]))
    return 0


def _before_training(options: Options) -> Options:
    """The options of the comparison that chooses what --confirm trains: without what only the table shows."""
    return replace(options, rows=False, ensemble=False)


def _format(words: Mapping[str, str]) -> Format:
    """The format of the printed table. Raises RequestError for an unknown format."""
    asked = words.get("format", TEXT)
    if asked not in FORMATS:
        raise RequestError(f"--format: found {asked}{nearest(asked, FORMATS)}\nallowed: {listing(FORMATS)}")
    return cast(Format, asked)


def _output(first: Path, words: Mapping[str, str]) -> Path:
    """The folder for the files. Raises RequestError if it is a file, or if the default folder is a link."""
    out = Path(words["output"]) if "output" in words else first / "compare"
    if "output" not in words and out.is_symlink():
        raise RequestError(f"-o: {out} is a link to {os.readlink(out)}\nname a folder yourself: -o OUT")
    if out.exists() and not out.is_dir():
        raise RequestError(f"-o: {out} is a file\nallowed: a folder, new or not")
    return out


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Turns an OSError while writing to `out` into a RequestError."""
    try:
        yield
    except OSError as error:
        raise RequestError(f"-o: cannot write to {out} ({error.strerror})\nallowed: a folder: -o OUT") from error


def _confirm(collection: Collection, comparison: Comparison, options: Options, words: Mapping[str, str]) -> Path:
    """Trains the settings of a comparison again on new seeds. Returns the folder of the sweep."""
    if any(row.untrained for row in comparison.rows):
        say(f"--confirm trains the settings at the same length. {comparison.verdict[0]}")
    settings, findings = fold(collection.runs, options.by, options.tune)
    choose(settings, [column.task for column in comparison.columns], options.tune, findings)
    flags = [name for name in ("rows", "ensemble") if name in words]
    typed = [part for k, v in words.items() if k not in ("confirm", "output", *flags) for part in (f"--{k}", v)]
    rows = [setting for setting in settings if setting.runs]
    return confirm(collection, rows, comparison.seeds_needed, [*typed, *map("--{}".format, flags), "--confirm"])


def options_from(words: Mapping[str, str]) -> Options:
    """The options of the command line. Raises RequestError for values that are wrong for any runs."""
    split = words.get("split", "test")
    try:
        margin = float(words.get("margin", "1").rstrip("%"))
    except ValueError:
        margin = float("nan")
    if not 0 < margin < 100:
        raise RequestError(f"--margin: found {words['margin']}\nallowed: percent, above 0 and below 100")
    return Options(
        by=_list(words, "by"),
        reference=words.get("reference"),
        metrics=_metrics(words.get("metric")),
        split=split,
        margin=margin,
        tune=_list(words, "tune"),
        ensemble="ensemble" in words,
        rows="rows" in words,
    )


def _list(words: Mapping[str, str], name: str) -> tuple[str, ...]:
    if name not in words:
        return ()
    found = tuple(key.strip() for key in words[name].split(",") if key.strip())
    if not found:
        raise RequestError(f"--{name}: names nothing\nexample: --{name} loss,lr")
    return found


def _metrics(value: str | None) -> dict[str, tuple[str, ...]] | None:
    """Parses `price=mae,cut=logloss` to task -> metrics. A task that is named twice has both metrics."""
    if value is None:
        return None
    found: dict[str, tuple[str, ...]] = {}
    for word in value.split(","):
        task, _, metric = (part.strip() for part in word.partition("="))
        if not task or not metric:
            raise RequestError(f"--metric: found {value}\nallowed: TASK=METRIC, such as price=mae,cut=logloss")
        found[task] = (*found.get(task, ()), metric)
    return found
