"""How the cells of each column are read. A training decides it once, over all its files, and every later file of the
run is read the same way.

`decide` finds the kind of each column from all files of a training: data.path and every file of data.split.files. The
kind follows from the cells as if they stood in one file:

    every cell spells true or false                  bool
    every cell spells a number, or true or false     number, or whole if floats would round the whole numbers
    Parquet dates, or dates beside ISO text          date
    anything else                                    text, the characters of the file: 01 stays 01

A column of Parquet text is text whatever it spells, because the file says so. A column without any cell is a number.

`Reading.cells` then turns the cells of a file into that kind. What a cell becomes depends on the cell and the reading,
never on other cells. The one exception is an error: if a cell of a column of numbers or dates spells neither, the whole
column stays text, and whoever needs its numbers raises the error with the row.

To add a way of writing values, such as a decimal comma: add a field to ColumnReading, let `raw` be true if it is set,
and convert the characters in `_CELLS`. A reading that the user declares goes into `given` of `decide`.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from mtlrun.config.values import from_mapping
from mtlrun.data.kinds import DATE, NUMBER, TEXT, TRUTH, as_numbers, as_texts, has_cells, iso_dates, kind_of
from mtlrun.util.errors import RequestError

# The words of a CSV file that stand for a missing value. They are those of pandas 3, here by name so that a stored run
# does not depend on the version of pandas.
MISSING_WORDS = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
    *("NULL", "NaN", "None", "n/a", "nan", "null"),
)
EXACT = 2**53  # floats hold every whole number up to this one
_TRUTHS = {"true": 1.0, "false": 0.0}
_DIGITS = r"\s*[+-]?[0-9]{1,308}\s*"  # within the range of floats


@dataclass(frozen=True)
class ColumnReading:
    """How the cells of one column are read.

    kind: what the cells become, see the module.
    missing: the words that stand for a missing value.
    """

    kind: Literal["bool", "number", "whole", "date", "text"]
    missing: list[str] = field(default_factory=lambda: list(MISSING_WORDS))

    @property
    def raw(self) -> bool:
        """Whether the characters of a cell are needed; otherwise pandas may parse the cells as numbers."""
        return self.kind in ("whole", "date", "text")

    def cells(self, series: pd.Series) -> pd.Series:
        """The column converted to `kind`; unchanged if a cell spells no number or date."""
        return _CELLS[self.kind](series)


@dataclass(frozen=True)
class Reading:
    """How the columns of a table are read. A file may have other columns besides; those are read by their cells."""

    columns: Mapping[str, ColumnReading] = field(default_factory=dict)

    def raw(self, name: str) -> bool:
        """Whether the characters of the cells of a column are needed."""
        return name in self.columns and self.columns[name].raw

    def needs_characters(self, series: pd.Series) -> bool:
        """Whether pandas has parsed a column, by its name, whose characters the reading needs."""
        kind = kind_of(series)
        exact = kind is NUMBER and series.dtype.kind != "f" and self.columns[str(series.name)].kind == "whole"
        return self.raw(str(series.name)) and kind in (NUMBER, TRUTH) and not exact and bool(series.notna().any())

    def missing(self, names: Iterable[str]) -> dict[str, list[str]] | None:
        """The words for a missing value of each column; None if they are MISSING_WORDS everywhere."""
        words = {n: self.columns[n].missing if n in self.columns else list(MISSING_WORDS) for n in names}
        return None if all(tuple(w) == MISSING_WORDS for w in words.values()) else words

    def without_words(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The table with the words for missing values masked in columns of text."""
        changed = {}
        for name in (n for n in frame.columns if n in self.columns and kind_of(frame[n]) is TEXT):
            words = frame[name].isin(self.columns[name].missing)
            if words.any():
                changed[name] = frame[name].mask(words)
        return with_columns(frame, changed)

    def cells(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The table with each column converted to its kind."""
        known = {n: frame[n] for n in frame.columns if n in self.columns}
        read = {n: self.columns[n].cells(series) for n, series in known.items()}
        changed = {n: series for n, series in read.items() if series is not known[n]}
        return with_columns(frame, changed)

    def to_plain(self) -> dict[str, Any]:
        """The reading as JSON types, without defaults; `from_plain` reads them."""
        return {name: _plain(column) for name, column in self.columns.items()}

    @classmethod
    def from_plain(cls, plain: Any) -> "Reading":
        """The reading from the result of `to_plain`. Raises RequestError for other values."""
        if not isinstance(plain, Mapping) or not all(isinstance(column, Mapping) for column in plain.values()):
            raise RequestError("reading: not how columns are read\nallowed: what a run has stored")
        return cls({n: from_mapping(ColumnReading, c, f"reading.{n}", "a column") for n, c in plain.items()})


def with_columns(frame: pd.DataFrame, columns: Any) -> pd.DataFrame:
    """A copy of `frame` with other cells in some columns, which a table or mapping holds. Other columns are shared."""
    if not len(columns):
        return frame
    return pd.DataFrame({name: columns.get(name, frame[name]) for name in frame.columns}, frame.index)


def _plain(column: ColumnReading) -> dict[str, Any]:
    default = dataclasses.asdict(ColumnReading(column.kind))
    changed = {key: value for key, value in dataclasses.asdict(column).items() if value != default[key]}
    return {"kind": column.kind} | changed


# ---------------------------------------------------------------- deciding


def decide(
    frames: Sequence[pd.DataFrame], typed: Sequence[bool], given: Mapping[str, ColumnReading] | None = None
) -> Reading:
    """The reading of the columns of the first of `frames`, from the cells of all of them.

    frames: the tables of the files, each with the columns of the first, as pandas has parsed them.
    typed: for each file, whether it states the types of its columns, as Parquet does.
    given: columns whose reading is known already.
    """
    given = given or {}
    words = [""] if all(typed) else list(MISSING_WORDS)
    columns = {}
    for name in map(str, frames[0].columns):
        if name in given:
            columns[name] = given[name]
            continue
        kind = _joined([frame[name] for frame in frames], typed)
        columns[name] = ColumnReading(kind, words if kind == "text" else list(MISSING_WORDS))
    return Reading(columns)


def _joined(parts: Sequence[pd.Series], typed: Sequence[bool]) -> Any:
    """The kind of a column from its part in each file."""
    kinds = {_kind_in(part, stated) for part, stated in zip(parts, typed, strict=True)} - {None}
    if kinds <= {NUMBER.name, TRUTH.name} and NUMBER.name in kinds:
        return "whole" if _rounded_as_floats(parts) else "number"
    if kinds == {DATE.name, TEXT.name}:
        return "date" if all(kind_of(part) is DATE or _spelled_dates(part) is not None for part in parts) else "text"
    if not kinds:
        return "number"
    return kinds.pop() if len(kinds) == 1 else "text"


def _kind_in(part: pd.Series, typed: bool) -> str | None:
    """The name of the kind of a column in one file; None if it has no cell."""
    kind = kind_of(part)
    if kind is NUMBER and not has_cells(part):
        return None
    # pandas reads 1 beside TRUE as text, and likewise whole numbers of different sign beyond 64 bits
    return NUMBER.name if kind is TEXT and not typed and spelled_numbers(part) is not None else kind.name


def _rounded_as_floats(parts: Sequence[pd.Series]) -> bool:
    """Whether the cells are whole numbers and some are too large for a float to hold them all."""
    numbers = [_floats(part) for part in parts]
    largest = max(np.fmax.reduce(np.abs(values), initial=0.0) for values in numbers)
    return bool(EXACT <= largest < np.inf) and all(map(_all_whole, numbers))


def _floats(part: pd.Series) -> np.ndarray:
    """The cells of a column of numbers, also those that text spells, as float64 [N], NaN if missing."""
    numbers = spelled_numbers(part) if kind_of(part) is TEXT else as_numbers(part)
    assert numbers is not None, "a column of numbers"
    return numbers


def _all_whole(values: np.ndarray) -> bool:
    present = values[~np.isnan(values)]
    return bool((present == np.rint(present)).all())


# ---------------------------------------------------------------- from cells to values


def spelled_numbers(series: pd.Series) -> np.ndarray | None:
    """The numbers that the cells of a column of text spell, float64 [N], NaN if missing; true and false are 1 and 0.

    None if a cell spells neither.
    """
    first = int(np.argmax(series.notna().to_numpy()))
    return _spelled(series) if _spelled(series.iloc[first : first + 1]) is not None else None  # mostly one cell tells


def _spelled(series: pd.Series) -> np.ndarray | None:
    cells = series.astype(object)
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    others = np.flatnonzero(np.isnan(numbers) & cells.notna().to_numpy())
    if len(others):
        numbers[others] = [_TRUTHS.get(str(cell).lower(), np.nan) for cell in cells.iloc[others]]
    return None if np.isnan(numbers[others]).any() else numbers


def _spelled_dates(series: pd.Series) -> pd.Series | None:
    """The dates that the cells of a column of text spell; None if a cell spells none."""
    dates = iso_dates(series)
    return dates if dates.notna().equals(series.notna()) else None


def _number(series: pd.Series) -> pd.Series:
    kind = kind_of(series)
    if kind is TRUTH:
        return _like(series, as_numbers(series))
    if kind is DATE:
        return _text(series)  # dates spell no numbers
    numbers = spelled_numbers(series) if kind is TEXT else None
    return series if numbers is None else _like(series, numbers)


def _bool(series: pd.Series) -> pd.Series:
    return series if kind_of(series) is TRUTH else _number(series)


def _whole(series: pd.Series) -> pd.Series:
    """Exact whole numbers: Int64, or Python integers if a number is beyond 64 bits. Other numbers become floats."""
    if series.dtype.kind in "uf":
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        fits = np.fmax.reduce(np.abs(values), initial=0.0) < EXACT and _all_whole(values)
        return series.astype("Int64") if fits else series.astype(object) if series.dtype.kind == "u" else series
    if kind_of(series) is not TEXT:
        return _number(series)
    present = series.dropna()
    if not present.str.fullmatch(_DIGITS).all():
        return _number(series)
    numbers = present.map(int).astype(object)
    small = all(-(2**63) <= n < 2**63 for n in numbers)
    return (numbers.astype("Int64") if small else numbers).reindex(series.index)


def _date(series: pd.Series) -> pd.Series:
    if kind_of(series) is DATE:
        return series
    if not series.notna().any():
        return pd.Series(pd.NaT, series.index, dtype="datetime64[us]", name=series.name)
    dates = _spelled_dates(series) if kind_of(series) is TEXT else None
    return series if dates is None else dates


def _text(series: pd.Series) -> pd.Series:
    if kind_of(series) is TEXT or not series.notna().any():
        return series
    return _like(series, as_texts(series)).astype("str").mask(series.isna())


def _like(series: pd.Series, values: np.ndarray) -> pd.Series:
    return pd.Series(values, series.index, name=series.name)


_CELLS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "bool": _bool,
    "number": _number,
    "whole": _whole,
    "date": _date,
    "text": _text,
}
