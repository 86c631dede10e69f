"""A table: the rows of files, read once per process, and arrays that all runs of the process share."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import pandas as pd

from mtlrun.data.kinds import plain_column, plain_numbers
from mtlrun.data.paths import require_file, synthetic_name
from mtlrun.data.problems import synthetic_table
from mtlrun.data.reading import ColumnReading, Reading, decide, with_columns
from mtlrun.data.tabular_files import read_csv, read_parquet, with_leading_zeros
from mtlrun.data.words import Words, words_in
from mtlrun.util.errors import RequestError, listing, nearest

_KEPT_TABLES = 4
_KEPT_ARRAYS = 32

T = TypeVar("T")


@dataclass(frozen=True)
class Table:
    """The rows of one or more concatenated files, and a cache of values computed from them.

    digest: SHA-256 (16 hexadecimal digits) of the bytes of the files, or of the column names and numbers of a synthetic
        table.
    lengths: the number of rows of each file.
    reading: how the cells of all files were read.
    words: the words that mean, or may mean, a missing value; see data/words.py.
    """

    frame: pd.DataFrame
    digest: str
    lengths: list[int]
    reading: Reading
    words: Words
    memo: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def columns(self) -> dict[str, pd.Series]:
        """The columns of `frame`. pandas makes a new object whenever one is taken out of a table."""
        return {str(name): series for name, series in self.frame.items()}

    def remember(self, key: Any, make: Callable[[], T]) -> T:
        """The result of `make()`, cached by `key`, so that the runs of a sweep share their arrays."""
        if key not in self.memo:
            while len(self.memo) >= _KEPT_ARRAYS:
                del self.memo[next(iter(self.memo))]
            self.memo[key] = make()
        return cast(T, self.memo[key])


_TABLES: dict[Any, Table] = {}


@contextmanager
def forgetting() -> Iterator[None]:
    """Forgets afterwards the tables that are loaded meanwhile, so that a long process frees their memory."""
    before = dict(_TABLES)
    try:
        yield
    finally:
        _TABLES.clear()
        _TABLES.update(before)


def load_tables(
    paths: list[Path],
    keys: list[str],
    given: Mapping[str, ColumnReading] | None = None,
    missing: Sequence[str | float] | None = None,
    old: bool = False,
    separator: str = ",",
) -> Table:
    """Concatenates the tables in `paths`. Each version of the files is read once per process.

    The cells of all files decide together how a column is read. keys: the configuration keys of the paths, for
    messages. given, missing, old: see `reading.decide`. separator: between the columns of CSV files.

    Raises RequestError as `read_table` does, and if a later table lacks a column of the first.
    """
    given = given or {}
    if separator != "," and all(map(_states_types, paths)):
        raise RequestError(
            f"data.separator: found {separator!r}, but {paths[0].name} is no CSV file, whose columns it separates\n"
            "leave data.separator out"
        )
    files = [(str(p), *_version(p, key)) for p, key in zip(paths, keys, strict=True)]
    signature = (*files, json.dumps([Reading(given).to_plain(), missing, old, separator], sort_keys=True))
    if signature not in _TABLES:
        frames, reading, words = _read_alike(paths, keys, given, missing, old, separator)
        frame = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
        while len(_TABLES) >= _KEPT_TABLES:
            del _TABLES[next(iter(_TABLES))]
        _TABLES[signature] = Table(frame, _digest(paths), [len(f) for f in frames], reading, words)
    return _TABLES[signature]


def read_table(
    path: Path, key: str = "data.path", reading: Reading | None = None, separator: str = ","
) -> pd.DataFrame:
    """Reads the table of a CSV file (also .csv.gz), a Parquet file or a synthetic problem.

    Columns are of one of the five kinds (kinds.py). `reading` says which and names the words for missing values. For
    other columns the cells of this file decide.

    Raises RequestError with `key` for a missing file, a folder, an unknown suffix, a file that cannot be read, a table
    without rows, and column names that occur twice; with data.columns for a cell that is not as declared.
    """
    frames, _, _ = _read_alike([path], [key], {} if reading is None else reading.columns, separator=separator)
    return frames[0]


def unchanged_columns(path: Path, names: Sequence[str], key: str, separator: str = ",") -> pd.DataFrame:
    """Some columns of a table that has them, in this order. Those of a CSV file are text, character for character."""
    reading = Reading({name: ColumnReading("text") for name in names})
    return _rows(path, key, reading, names, separator)[list(names)]


def _read_alike(
    paths: Sequence[Path],
    keys: Sequence[str],
    given: Mapping[str, ColumnReading],
    missing: Sequence[str | float] | None = None,
    old: bool = False,
    separator: str = ",",
) -> tuple[list[pd.DataFrame], Reading, Words]:
    """The tables of the files, with the columns of the first; how they are read; their words for missing values."""
    parsed = [_parsed(p, key, Reading(given), separator) for p, key in zip(paths, keys, strict=True)]
    columns = list(parsed[0].columns)
    for frame, path, key in zip(parsed[1:], paths[1:], keys[1:], strict=True):
        absent = [c for c in columns if c not in frame.columns]
        if absent:
            found = list(frame.columns)
            raise RequestError(
                f"{key}: {path.name} lacks columns of {paths[0].name}: {absent[0]!r}"
                f"{nearest(absent[0], found)}\nlacking: {listing(absent)}; "
                f"found: {listing(found)}"
            )
    parsed = [parsed[0], *(frame[columns] for frame in parsed[1:])]
    if not old and not any(map(_states_types, paths)):
        files = zip(parsed, paths, keys, strict=True)
        parsed = [with_leading_zeros(frame, path, key, Reading(given), separator) for frame, path, key in files]
    reading, spelled = decide(parsed, [_states_types(path) for path in paths], given, missing, old)
    words = words_in(parsed, reading)
    frames = []
    for frame, path, key in zip(spelled, paths, keys, strict=True):
        lost = [c for c in columns if reading.raw(c) and reading.needs_characters(frame[c])]
        if lost and not _states_types(path):
            frame = with_columns(frame, _rows(path, key, reading, lost, separator))
        frames.append(frame)
    return [reading.cells(frame) for frame in frames], reading, words


def _version(path: Path, key: str) -> tuple[int, int]:
    require_file(path, key)
    if synthetic_name(path) is not None:
        return 0, 0
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _digest(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        if (name := synthetic_name(path)) is not None:
            for column, values in synthetic_table(name).items():
                digest.update(str(column).encode())
                digest.update(values.to_numpy(dtype="<f8").tobytes())
            continue
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def _parsed(path: Path, key: str, reading: Reading, separator: str) -> pd.DataFrame:
    """The rows of a file as pandas parses them. Columns whose characters the reading needs stay text."""
    require_file(path, key)
    if (name := synthetic_name(path)) is not None:
        return synthetic_table(name)
    frame = _rows(path, key, reading, None, separator)
    if not len(frame):
        raise RequestError(f"{key}: {path.name} has no rows\nallowed: a table with at least one row")
    return frame


def _states_types(path: Path) -> bool:
    """Whether a file states the types of its columns; in a CSV file they follow from the cells."""
    return synthetic_name(path) is not None or path.name.lower().endswith(".parquet")


def _rows(path: Path, key: str, reading: Reading, only: Sequence[str] | None, separator: str) -> pd.DataFrame:
    """The columns of a file as bool, numbers, datetime64[us] or text. only: the columns to read; None: all."""
    frame = read_parquet(path, key) if _states_types(path) else read_csv(path, key, reading, only, separator)
    numbers = plain_numbers(frame)
    known = {name: frame[name] for name in frame.columns if name not in numbers}
    plain = {name: plain_column(series) for name, series in known.items()}
    return with_columns(frame, {name: series for name, series in plain.items() if series is not known[name]})
