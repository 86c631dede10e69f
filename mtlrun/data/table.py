"""A table: the rows of files, read once per process, and arrays that all runs of the process share."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import pandas as pd

from mtlrun.data.kinds import plain_column
from mtlrun.data.paths import require_file, synthetic_name
from mtlrun.data.problems import synthetic_table
from mtlrun.data.tabular_files import read_csv, read_parquet
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
    """

    frame: pd.DataFrame
    digest: str
    lengths: list[int]
    memo: dict[Any, Any] = field(default_factory=dict)

    def remember(self, key: Any, make: Callable[[], T]) -> T:
        """The result of `make()`, cached by `key`, so that the runs of a sweep share their arrays."""
        if key not in self.memo:
            while len(self.memo) >= _KEPT_ARRAYS:
                del self.memo[next(iter(self.memo))]
            self.memo[key] = make()
        return cast(T, self.memo[key])


_TABLES: dict[Any, Table] = {}


def load_tables(paths: list[Path], keys: list[str]) -> Table:
    """Concatenates the tables in `paths`. Each version of the files is read once per process.

    keys: the configuration keys of the paths, for messages. Raises RequestError as `read_table` does, and if a later
    table lacks a column of the first.
    """
    signature = tuple((str(p), *_version(p, key)) for p, key in zip(paths, keys, strict=True))
    if signature not in _TABLES:
        frames = [read_table(p, key) for p, key in zip(paths, keys, strict=True)]
        for frame, path, key in zip(frames[1:], paths[1:], keys[1:], strict=True):
            absent = [c for c in frames[0].columns if c not in frame.columns]
            if absent:
                found = list(frame.columns)
                raise RequestError(
                    f"{key}: {path.name} lacks columns of {paths[0].name}: {absent[0]!r}"
                    f"{nearest(absent[0], found)}\nlacking: {listing(absent)}; "
                    f"found: {listing(found)}"
                )
        columns = list(frames[0].columns)
        frame = frames[0] if len(frames) == 1 else pd.concat([f[columns] for f in frames], ignore_index=True)
        while len(_TABLES) >= _KEPT_TABLES:
            del _TABLES[next(iter(_TABLES))]
        _TABLES[signature] = Table(frame, _digest(paths), [len(f) for f in frames])
    return _TABLES[signature]


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


def read_table(path: Path, key: str = "data.path") -> pd.DataFrame:
    """Reads the table of a CSV file (also .csv.gz), a Parquet file or a synthetic problem.

    Columns are bool, numbers, datetime64[us] or text. The words that pandas takes for missing values count as missing.
    Raises RequestError with `key` for a missing file, a folder, an unknown suffix, a file that cannot be read, a table
    without rows, and column names that occur twice.
    """
    require_file(path, key)
    if (name := synthetic_name(path)) is not None:
        return synthetic_table(name)
    read = read_parquet if path.name.lower().endswith(".parquet") else read_csv
    frame = read(path, key)
    if not len(frame):
        raise RequestError(f"{key}: {path.name} has no rows\nallowed: a table with at least one row")
    return pd.DataFrame({name: plain_column(frame[name]) for name in frame.columns})
