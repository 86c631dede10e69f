"""Reads one CSV or Parquet file. If the file is not a table, the error says what it is and how to mend it."""

import csv
import gzip
import itertools
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtlrun.config.values import plain_name
from mtlrun.data.conversion import EXACT
from mtlrun.data.kinds import LEADING_ZERO, leading_zeros, plain_numbers
from mtlrun.data.paths import SUFFIXES
from mtlrun.data.reading import ColumnReading, Reading, with_columns
from mtlrun.util.errors import RequestError, listing
from mtlrun.util.shell import quoted
from mtlrun.util.terminal import shown


@dataclass(frozen=True)
class Signature:
    """The first and last bytes of the files of a format. `why` and `mend` are the parts of the error message."""

    format: str
    start: bytes
    end: bytes = b""
    why: str = "it is a {format} file"
    mend: str = f"give it the ending of one: {', '.join(SUFFIXES)}"


SIGNS = {",": ",", ";": ";", "tab": "\t", "|": "|"}  # the values of data.separator, and the characters
_TO_UTF8 = ("it is UTF-16, not UTF-8", "convert it: iconv -f utf-16 -t utf-8 {name} > utf8.csv")
SIGNATURES = (
    Signature("UTF-16", b"\xff\xfe", b"", *_TO_UTF8),
    Signature("UTF-16", b"\xfe\xff", b"", *_TO_UTF8),
    Signature("gzip", b"\x1f\x8b"),
    Signature("Parquet", b"PAR1", b"PAR1"),  # the end excludes a CSV whose first column has that name
    Signature("zip", b"PK\x03\x04"),
    Signature("PNG", b"\x89PNG"),
)


def read_parquet(path: Path, key: str) -> pd.DataFrame:
    """The table in a Parquet file, with column names as text. Raises RequestError with `key` if it is not a table."""
    try:
        _require_plain_columns(path, key)
        frame = pd.read_parquet(path, engine="pyarrow")
        # row numbers are dropped, because a part of a table may have any; other row labels become a column
        frame = _with_exact_numbers(frame, path).reset_index(drop=isinstance(frame.index, pd.RangeIndex))
    except (MemoryError, RequestError):
        raise
    except Exception as error:  # a damaged file, or damaged pandas metadata, may raise anything
        raise _unreadable(path, key, error, "allowed: a complete Parquet file") from None
    frame.columns = plain_names([str(c) for c in frame.columns])
    _require_unique([str(c) for c in frame.columns], path, key)
    return frame


def _with_exact_numbers(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """`frame` with whole numbers that have gaps and that floats would round as Int64 or UInt64."""
    import pyarrow
    import pyarrow.parquet

    exact = {}
    with pyarrow.parquet.ParquetFile(path) as file:
        for column in file.schema_arrow:
            name, whole = column.name, pyarrow.types.is_integer(column.type)
            rounded = whole and name in frame and frame[name].dtype == np.float64
            if rounded and np.fmax.reduce(np.abs(frame[name].to_numpy()), initial=0.0) >= EXACT:
                dtype: Any = "Int64" if pyarrow.types.is_signed_integer(column.type) else "UInt64"
                exact[name] = pd.Series(pd.array(file.read(columns=[name])[name].to_pylist(), dtype=dtype), frame.index)
    return with_columns(frame, exact)


def plain_names(names: Sequence[str]) -> list[str]:
    """Column names without surrounding blanks and byte order marks. A column without a name is called by its number."""
    return [plain_name(name) or f"Unnamed: {i}" for i, name in enumerate(names)]


def _require_plain_columns(path: Path, key: str) -> None:
    """Raises RequestError for columns of the same name, and for lists, mappings, bytes or text that is not UTF-8."""
    import pyarrow
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
        _require_unique(list(schema.names), path, key)
        texts = []
        for column in schema:
            held = column.type.value_type if pyarrow.types.is_dictionary(column.type) else column.type
            held = held.storage_type if isinstance(held, pyarrow.BaseExtensionType) else held
            if pyarrow.types.is_nested(held) or "binary" in str(held):
                raise RequestError(
                    f"{key}: {path.name}: column {column.name!r} holds {str(column.type)[:80]}\n"
                    "allowed: numbers, truth values, text, dates, durations; write the file without that column"
                )
            if "string" in str(held):
                texts.append(column.name)
        for name in texts:
            try:
                file.read(columns=[name]).validate(full=True)
            except pyarrow.ArrowInvalid:
                raise RequestError(
                    f"{key}: {path.name}: column {name!r} holds text that is not UTF-8\n"
                    "write it as UTF-8, or the file without that column"
                ) from None


def read_csv(
    path: Path,
    key: str,
    reading: Reading | None = None,
    only: Sequence[str] | None = None,
    separator: str = ",",
) -> pd.DataFrame:
    """The table in a CSV file, which is compressed if its name ends in .gz.

    reading: which columns are text, cell for cell. pandas infers the other columns. Only empty cells are missing.
    only: the columns to read, by default all.
    separator: the sign between the columns, as `data.separator` names it.

    Raises RequestError with `key` if it is not a table.
    """
    reading = reading or Reading()
    compression: Any = "gzip" if path.name.lower().endswith(".gz") else None
    signature = _signature(path)
    if signature is not None and signature.format != compression:
        found = signature.why.format(format=signature.format)
        raise _unreadable(path, key, found, signature.mend.format(name=path.name))
    try:
        header = _header(path, key, separator)
        named = {
            name or f"Unnamed: {i}": plain
            for i, (name, plain) in enumerate(zip(header, plain_names(header), strict=True))
        }
        frame = pd.read_csv(
            path,
            compression=compression,
            sep=SIGNS[separator],
            low_memory=False,
            dtype={name: str for name, plain in named.items() if reading.raw(plain)},
            na_values=[""],
            keep_default_na=False,
            usecols=None if only is None else [name for name, plain in named.items() if plain in only],
        )
        frame.columns = [named.get(str(name), str(name)) for name in frame.columns]
        return frame
    except UnicodeError as error:
        why: object = f"it is not UTF-8: byte {error.start}" if isinstance(error, UnicodeDecodeError) else error
        raise _unreadable(path, key, why, f"convert it: {_conversion(path)}") from None
    except gzip.BadGzipFile:
        raise _unreadable(path, key, "it is no gzip file", "rename it to end in .csv if it is plain text") from None
    except (EOFError, zlib.error) as error:
        raise _unreadable(path, key, error, "the file is cut short or damaged: copy it anew") from None
    except pd.errors.EmptyDataError:
        raise RequestError(f"{key}: {path.name} is empty\nallowed: a table with a line of names and rows") from None
    except (pd.errors.ParserError, csv.Error, OSError, ValueError) as error:
        raise _unreadable(path, key, error, "allowed: comma-separated values with one line of column names") from None


def with_leading_zeros(
    frame: pd.DataFrame, path: Path, key: str, reading: Reading, separator: str = ","
) -> pd.DataFrame:
    """The `frame` of a CSV file, in which columns are text if pandas has parsed them and a number has a leading zero.

    Columns whose kind `reading` knows stay as they are.
    """
    known = {name for name, column in reading.columns.items() if column.kind is not None}
    numbers = plain_numbers(frame)
    names = [name for name in frame.columns if name in numbers and name not in known]
    if not names or not _any_leading_zero(path, separator):
        return frame
    texts = read_csv(path, key, Reading({name: ColumnReading("text") for name in names}), names, separator)
    return with_columns(frame, {n: texts[n] for n in names if texts[n].notna().any() and leading_zeros(texts[n]).any()})


def _any_leading_zero(path: Path, separator: str) -> bool:
    """Whether a field of a CSV file may be a whole number with a leading zero. It is quick, and may say yes wrongly."""
    between = SIGNS[separator]
    edge = b'[\n\r"' + re.escape(between).encode() + b"]"
    field = re.compile(edge + LEADING_ZERO.encode() + edge)
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
        rest = b""
        while block := file.read(1 << 18):
            text = rest + block
            if _digits_begin_with_zero(text, ord(between)) and field.search(text):
                return True
            rest = text[-1000:]  # a field may lie across two blocks
        return field.search(rest + b"\n") is not None


def _digits_begin_with_zero(text: bytes, separator: int) -> bool:
    """Whether 0 and another digit follow the separator, a blank, a quote or the like.

    It says yes wherever the regular expression of a field does, and takes a tenth of its time.
    """
    signs = np.frombuffer(text, dtype=np.uint8)
    before = signs[:-2]
    zeros = np.flatnonzero((signs[1:-1] == ord("0")) & ((before < ord("-")) | (before == separator)))
    return bool((signs[zeros + 2] - ord("0") < 10).any())  # a sign below "0" wraps to a large number


def _conversion(path: Path) -> str:
    """The command that converts a file to UTF-8. Bytes from 0x80 to 0x9f are signs of Windows, such as €."""
    packed = path.name.lower().endswith(".gz")
    with gzip.open(path) if packed else path.open("rb") as file:
        windows = any(re.search(rb"[\x80-\x9f]", block) for block in iter(lambda: file.read(1 << 20), b""))
    iconv = f"iconv -f {'cp1252' if windows else 'latin1'} -t utf-8"
    file_name = quoted(shown(path))
    return f"zcat {file_name} | {iconv} > utf8.csv" if packed else f"{iconv} {file_name} > utf8.csv"


def _signature(path: Path) -> Signature | None:
    """The signature of a file; None for plain text."""
    with path.open("rb") as file:
        first = file.read(8)
        file.seek(-min(4, path.stat().st_size), 2)
        last = file.read()
    return next((s for s in SIGNATURES if first.startswith(s.start) and last.endswith(s.end)), None)


def separator_of(path: Path) -> str:
    """The sign between the columns of a CSV file: the one by which its first line has most columns. "," if in doubt."""
    if path.suffix.lower() == ".parquet":
        return ","
    try:
        counts = {name: len((_first_lines(path, name) or [[]])[0]) for name in SIGNS}
    except (OSError, EOFError, zlib.error, UnicodeError, csv.Error):  # the reading of the file raises it again
        return ","
    return max(counts, key=lambda name: counts[name])


def _first_lines(path: Path, separator: str) -> list[list[str]]:
    """The first two lines of a CSV file that are not empty, as fields."""
    packed = path.name.lower().endswith(".gz")
    with (
        gzip.open(path, "rt", encoding="utf-8-sig", newline="")
        if packed
        else path.open(encoding="utf-8-sig", newline="") as file
    ):
        return list(itertools.islice(filter(None, csv.reader(file, delimiter=SIGNS[separator])), 2))


def _header(path: Path, key: str, separator: str) -> list[str]:
    """The column names. Checks them and the first row for errors that pandas would silently misread.

    Raises ValueError for such an error, RequestError for names that occur twice and for another separator, and the
    errors of opening, decoding and parsing.
    """
    lines = _first_lines(path, separator)
    if not lines:
        return []
    names = lines[0]
    if any("\0" in name for name in names):
        raise ValueError("its names hold the character 0, as UTF-16 does")
    _require_unique(plain_names(names), path, key)
    if len(names) == 1 and (other := separator_of(path)) != separator and SIGNS[other] in names[0]:
        why = f"its columns are separated by {SIGNS[other]!r}, not by {SIGNS[separator]!r}"
        raise _unreadable(path, key, why, _how_to_separate(key, other, separator))
    if len(lines) == 2 and len(lines[1]) > len(names):  # pandas would read the first field as row labels
        raise ValueError(f"{len(names)} column names, but {len(lines[1])} fields in the first row")
    return names


def _how_to_separate(key: str, found: str, expected: str) -> str:
    if key.startswith("data."):
        typed = quoted(f'data.separator="{found}"')
        return f'add {typed}, or in the YAML of the table under data: separator: "{found}"'
    return f"the table of the run has {SIGNS[expected]!r}: write this file so too"


def _unreadable(path: Path, key: str, why: object, mend: str) -> RequestError:
    reason = " ".join(str(why).split())[:200] or type(why).__name__
    return RequestError(f"{key}: {path.name} cannot be read ({reason})\n{mend}")


def _require_unique(names: Sequence[str], path: Path, key: str) -> None:
    """Raises RequestError if a name occurs twice. names: without surrounding blanks."""
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise RequestError(
            f"{key}: {path.name} has several columns named {listing(map(repr, twice))}\n"
            "allowed: every column name once; blanks around a name do not count"
        )
