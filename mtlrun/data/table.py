"""Tables from files: where a path points, what is in the file, and its columns as numbers or text."""

import csv
import datetime
import decimal
import gzip
import hashlib
import itertools
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import numpy as np
import pandas as pd

from mtlrun.data.paths import SUFFIXES, require_file, synthetic_name
from mtlrun.data.synthetic import synthetic_table
from mtlrun.util.errors import RequestError, listing, nearest

SIGNS = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\x1f\x8b": "gzip",
    b"PAR1": "Parquet",
    b"PK\x03\x04": "zip",
    b"\x89PNG": "PNG",
}  # first bytes of files
DAY = 86_400e6  # microseconds, which reach from the year 1 to 9999 and beyond
_KEPT_TABLES = 4
_KEPT_ARRAYS = 32

Kind = Literal["number", "bool", "date", "text"]
T = TypeVar("T")


@dataclass(frozen=True)
class Table:
    """The rows of a file, or of several below one another, and what was computed from them so far.

    `digest` is the SHA-256 (16 hexadecimal digits) of the files' bytes (of a synthetic table: of its columns' names and
    numbers), `lengths` the rows of each file.
    """

    frame: pd.DataFrame
    digest: str
    lengths: list[int]
    memo: dict[Any, Any] = field(default_factory=dict)

    def remember(self, key: Any, make: Callable[[], T]) -> T:
        """`make()`, computed once per `key`, so that the runs of a sweep share their arrays."""
        if key not in self.memo:
            while len(self.memo) >= _KEPT_ARRAYS:
                del self.memo[next(iter(self.memo))]
            self.memo[key] = make()
        return cast(T, self.memo[key])


_TABLES: dict[Any, Table] = {}


def load_tables(paths: list[Path], keys: list[str]) -> Table:
    """The tables in `paths` below one another, read once per process and version of the files.

    `keys` are the configuration keys that the paths come from; `Table.lengths` says how many rows each
    file has. Raises RequestError as `read_table`, and where a later table lacks a column of the first.
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
    """The table in a CSV file (also .csv.gz) or a Parquet file, or of a synthetic problem.

    Columns come out as bool, numbers, datetime64[us] or text; pandas' usual words for a missing value
    count as missing. Raises RequestError (naming `key`) for a missing file, a directory, an unknown
    suffix, a file that cannot be read, no rows, and column names that occur twice.
    """
    require_file(path, key)
    if (name := synthetic_name(path)) is not None:
        return synthetic_table(name)
    lower = path.name.lower()
    if lower.endswith(".parquet"):
        frame = _read_parquet(path, key)
    else:
        frame = _read_csv(path, key)
    if not len(frame):
        raise RequestError(f"{key}: {path.name} has no rows\nallowed: a table with at least one row")
    return pd.DataFrame({name: _plain_column(frame[name]) for name in frame.columns})


def _unreadable(path: Path, key: str, why: object, mend: str) -> RequestError:
    reason = " ".join(str(why).split())[:200] or type(why).__name__
    return RequestError(f"{key}: {path.name} cannot be read ({reason})\n{mend}")


def _read_parquet(path: Path, key: str) -> pd.DataFrame:
    try:
        _require_plain(path, key)
        frame = pd.read_parquet(path, engine="pyarrow")
        # of a part of a table the row numbers need not begin at 0 nor be consecutive; other labels are a column
        frame = frame.reset_index(drop=isinstance(frame.index, pd.RangeIndex))
    except (MemoryError, RequestError):
        raise
    except Exception as error:  # what a damaged file, or its record of what pandas had, may lead to has no common name
        raise _unreadable(path, key, error, "allowed: a complete Parquet file") from None
    frame.columns = [str(c) for c in frame.columns]
    _unique([str(c) for c in frame.columns], path, key)
    return frame


def _require_plain(path: Path, key: str) -> None:
    """Raises RequestError for columns of one name, and for one that holds lists, mappings, bytes, or text that is no
    UTF-8."""
    import pyarrow
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
        _unique(list(schema.names), path, key)
        texts = []
        for field_ in schema:
            kind = field_.type.value_type if pyarrow.types.is_dictionary(field_.type) else field_.type
            kind = kind.storage_type if isinstance(kind, pyarrow.BaseExtensionType) else kind
            if pyarrow.types.is_nested(kind) or "binary" in str(kind):
                kinds = "allowed: numbers, truth values, text, dates, durations; write the file without that column"
                raise RequestError(f"{key}: {path.name}: column {field_.name!r} holds {str(field_.type)[:80]}\n{kinds}")
            if "string" in str(kind):
                texts.append(field_.name)
        for name in texts:
            try:
                file.read(columns=[name]).validate(full=True)
            except pyarrow.ArrowInvalid:
                raise RequestError(
                    f"{key}: {path.name}: column {name!r} holds text that is not UTF-8\n"
                    "write it as UTF-8, or the file without that column"
                ) from None


def _read_csv(path: Path, key: str) -> pd.DataFrame:
    compression: Any = "gzip" if path.name.lower().endswith(".gz") else None
    with path.open("rb") as file:
        kind = next((name for sign, name in SIGNS.items() if file.peek(8).startswith(sign)), None)
        file.seek(-min(4, path.stat().st_size), 2)
        if kind == "Parquet" and file.read() != b"PAR1":  # a column may have that name
            kind = None
    if kind == "UTF-16":
        mend = f"convert it: iconv -f utf-16 -t utf-8 {path.name} > utf8.csv"
        raise _unreadable(path, key, "it is UTF-16, not UTF-8", mend)
    if kind is not None and kind != compression:
        raise _unreadable(path, key, f"it is a {kind} file", f"give it the ending of one: {', '.join(SUFFIXES)}")
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8", newline="")
            if compression
            else path.open(encoding="utf-8", newline="") as file
        ):
            head = list(itertools.islice(filter(None, csv.reader(file)), 2))
        if any("\0" in name for name in head[0]) if head else False:
            raise ValueError("its names hold the character 0, as UTF-16 does")
        _unique([name for name in head[0] if name] if head else [], path, key)
        if head and len(head[0]) == 1 and (sign := next((s for s in ";\t|" if s in head[0][0]), None)) is not None:
            raise ValueError(f"its columns are separated by {sign!r}, not by commas")
        if len(head) == 2 and len(head[1]) > len(head[0]):  # pandas would silently take the first for row labels
            raise ValueError(f"{len(head[0])} column names, but {len(head[1])} fields in the first row")
        frame = pd.read_csv(path, compression=compression, low_memory=False)
    except (UnicodeDecodeError, UnicodeError) as error:
        why = f"it is not UTF-8: byte {error.start}" if isinstance(error, UnicodeDecodeError) else error
        raise _unreadable(path, key, why, f"convert it: iconv -f latin1 -t utf-8 {path.name} > utf8.csv") from None
    except gzip.BadGzipFile:
        raise _unreadable(path, key, "it is no gzip file", "rename it to end in .csv if it is plain text") from None
    except (EOFError, zlib.error) as error:
        raise _unreadable(path, key, error, "the file is cut short or damaged: copy it anew") from None
    except pd.errors.EmptyDataError:
        raise RequestError(f"{key}: {path.name} is empty\nallowed: a table with a line of names and rows") from None
    except (pd.errors.ParserError, csv.Error, OSError, ValueError) as error:
        raise _unreadable(path, key, error, "allowed: comma-separated values with one line of column names") from None
    return frame


def _unique(names: list[str], path: Path, key: str) -> None:
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise RequestError(
            f"{key}: {path.name} has several columns named {listing(map(repr, twice))}\nallowed: every column name once"
        )


# ---------------------------------------------------------------- columns


def _plain_column(series: pd.Series) -> pd.Series:
    """Categories as their values, dates as datetime64[us] (UTC), durations in days, decimals as floats, "" missing."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = pd.Series(series.to_numpy(dtype=object), series.index, name=series.name).infer_objects()
    if pd.api.types.is_timedelta64_dtype(series.dtype):
        return series.dt.total_seconds() / 86_400.0
    if series.dtype == object and pd.api.types.infer_dtype(series, skipna=True) == "integer":
        numbers = series.map(_float, na_action="ignore").astype(float)
        return numbers if np.isinf(numbers).any() else series  # beyond any float; up to there a class is what it is
    if series.dtype == object:
        first = next((v for v in series if not _is_missing(v)), None)
        if isinstance(first, decimal.Decimal):
            return series.astype(float)
        if isinstance(first, datetime.date):
            return _utc(pd.to_datetime(series, errors="coerce", utc=True))
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return _utc(series)
    if column_kind(series) == "text" and (empty := (series == "").fillna(False).astype(bool)).any():
        return series.mask(empty)
    return series


def _utc(dates: pd.Series) -> pd.Series:
    if isinstance(dates.dtype, pd.DatetimeTZDtype):
        dates = dates.dt.tz_convert("UTC").dt.tz_localize(None)
    return dates.astype("datetime64[us]")


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def column_kind(series: pd.Series) -> Kind:
    """Whether a column holds numbers, truth values, dates or text; one without any value counts as numbers."""
    if pd.api.types.is_bool_dtype(series.dtype):
        return "bool"
    if pd.api.types.is_numeric_dtype(series.dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return "date"
    if series.dtype == object:
        inferred = pd.api.types.infer_dtype(series, skipna=True)
        if inferred == "boolean":
            return "bool"
        if inferred in ("integer", "floating", "mixed-integer-float", "decimal", "empty"):
            return "number"
        return "text"
    return "number" if not series.notna().any() else "text"


def as_numbers(series: pd.Series) -> np.ndarray:
    """A column as float64 [N], NaN where missing: truth values as 0 and 1, dates as days since 1970.

    Raises ValueError for text.
    """
    kind = column_kind(series)
    if kind == "date":
        days = _utc(series).to_numpy().astype(np.int64) / DAY
        return np.where(series.isna().to_numpy(), np.nan, days)
    if kind == "text":
        raise ValueError("text")
    if not series.notna().any():
        return np.full(len(series), np.nan)
    numbers: np.ndarray = series.to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers


def as_texts(series: pd.Series) -> np.ndarray:
    """A column as an object array [N] of str, "" where missing; whole numbers are written without a point."""
    codes, values = pd.factorize(series)
    texts = np.array([*(text_of(v) for v in values), ""], dtype=object)
    return texts[codes]  # a missing value has code -1


def text_of(value: Any) -> str:
    """A cell as text, the same whether it was read as 1, 1.0 or "1"."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)
