"""How the cells of each column are read. A training decides this once from all its files. Every later file of the run
is read the same way.

`decide` finds the kind of each column from all files of a training: data.path and every file of data.split.files. The
kind follows from the cells as if they stood in one file:

    every cell spells true or false                  bool
    a whole number has a leading zero, as 01 has     text: it is a code; only in CSV files
    every cell spells a number, or true or false     number, or whole if floats would round the whole numbers
    every cell is an ISO date, or a Parquet date     date
    a time of Parquet                                time
    anything else                                    text, the characters of the file: 01 stays 01

A Parquet column of text is always text, because the file states its type. A column without any cell is a number.
Words such as NA are missing values among numbers, truths and dates, and ordinary words in text. The settings
`data.columns` and `data.missing` declare other words, and how numbers, dates and times are written (`declared`).

`Reading.cells` then turns the cells of a file into that kind. What a cell becomes depends on the cell and the reading,
never on other cells. An error is the only exception: if a cell in a column of numbers or dates spells neither, the
whole column stays text. Code that needs its numbers then raises the error, with the row.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from mtlrun.config.schema import ColumnConfig, DataConfig
from mtlrun.config.values import from_mapping, number
from mtlrun.data.conversion import (
    CONVERSIONS,
    EXACT,
    all_whole,
    any_truth,
    are_truths,
    in_notation,
    like,
    spelled_dates,
    spelled_numbers,
)
from mtlrun.data.kinds import (
    DATE,
    NUMBER,
    TEXT,
    TRUTH,
    as_numbers,
    has_cells,
    kind_of,
    leading_zeros,
    plain_numbers,
    text_of,
)
from mtlrun.data.notation import are_iso_dates, shown
from mtlrun.util.errors import RequestError

# The words of a CSV file that stand for a missing value. They are those of pandas 3, here by name so that a stored run
# does not depend on the version of pandas.
MISSING_WORDS = (
    *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
    *("NULL", "NaN", "None", "n/a", "nan", "null"),
)
_ISO = "ISO dates as text"


@dataclass(frozen=True)
class ColumnReading:
    """How the cells of one column are read.

    kind: what the cells become, see the module. None: the cells decide.
    missing: the words that stand for a missing value, beside the empty cell. In a column that is not text, cells of
        blanks are empty too.
    notation: how the numbers, dates or times are written; None: as plain numbers and ISO dates.
    """

    kind: Literal["bool", "number", "whole", "date", "time", "text"] | None
    missing: list[str | float] = field(default_factory=lambda: list(MISSING_WORDS))
    notation: ColumnConfig | None = None

    @property
    def raw(self) -> bool:
        """Whether the characters of a cell are needed; otherwise pandas may parse the cells as numbers."""
        return self.kind in ("whole", "date", "time", "text") or self.notation is not None

    @property
    def takes_numbers(self) -> bool:
        """Whether numbers stay as they are; a number may be a word for a missing value."""
        return self.kind == "number" and not self.raw and tuple(self.missing) == MISSING_WORDS

    def cells(self, series: pd.Series) -> pd.Series:
        """The column converted to `kind`; unchanged if a cell spells no number or date.

        Raises RequestError for a cell that does not fit `notation`.
        """
        series = self.without_words(series)
        if self.notation is not None:
            series = in_notation(series, self.notation)
        return series if self.kind is None else CONVERSIONS[self.kind](series)

    def without_words(self, series: pd.Series) -> pd.Series:
        """The column without the cells that are words for a missing value."""
        kind = kind_of(series)
        if kind is TEXT:
            words = series.isin(["", *map(text_of, self.missing)])
            if self.kind != "text":  # blanks are no number
                words |= series.str.isspace().fillna(False).astype(bool)
        elif kind is NUMBER and (numbers := numbers_among(tuple(self.missing))):
            words = series.isin(numbers)
        else:
            return series
        return series.mask(words) if words.any() else series


@functools.cache
def numbers_among(words: tuple[str | float, ...]) -> list[float]:
    """The numbers that words for a missing value spell. "-NaN" spells none."""
    return [n for word in words if (n := number(word)) is not None and not np.isnan(n)]


@dataclass(frozen=True)
class Reading:
    """How the columns of a table are read. A file may have further columns, whose cells decide how they are read."""

    columns: Mapping[str, ColumnReading] = field(default_factory=dict)

    def raw(self, name: str) -> bool:
        """Whether the characters of the cells of a column are needed."""
        return name in self.columns and self.columns[name].raw

    def needs_characters(self, series: pd.Series) -> bool:
        """Whether the reading needs the characters of a column that pandas has already parsed."""
        kind = kind_of(series)
        exact = kind is NUMBER and series.dtype.kind != "f" and self.columns[str(series.name)].kind == "whole"
        return self.raw(str(series.name)) and kind in (NUMBER, TRUTH) and not exact and bool(series.notna().any())

    def cells(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The table with each column converted to its kind. Raises RequestError as `ColumnReading.cells`."""
        done = {n for n in plain_numbers(frame) if n in self.columns and self.columns[n].takes_numbers}
        known = {n: frame[n] for n in frame.columns if n in self.columns and n not in done}
        read = {n: self.columns[n].cells(series) for n, series in known.items()}
        changed = {n: series for n, series in read.items() if series is not known[n]}
        return with_columns(frame, changed)

    def only(self, names: Iterable[str]) -> "Reading":
        """The reading of some columns."""
        return Reading({name: self.columns[name] for name in names if name in self.columns})

    def to_plain(self) -> dict[str, Any]:
        """The reading as JSON types, without defaults; `from_plain` reads them."""
        return {name: _plain(column) for name, column in self.columns.items()}

    @classmethod
    def from_plain(cls, plain: Any) -> "Reading":
        """The reading from the result of `to_plain`. Raises RequestError for other values."""
        if not isinstance(plain, Mapping) or not all(isinstance(column, Mapping) for column in plain.values()):
            raise RequestError("reading: not how columns are read\nallowed: what a run has stored")
        return cls({n: from_mapping(ColumnReading, c, f"reading.{n}", "a column") for n, c in plain.items()})


def declared(data: DataConfig) -> dict[str, ColumnReading]:
    """The readings that the settings `data.columns` declare. Their kind is None if they declare only missing words."""
    readings = {}
    for name, column in (data.columns or {}).items():
        notation = replace(column, missing=None, text=False)
        kind: Any = next((way for way in ("number", "date", "time") if getattr(column, way) is not None), None)
        words = data.missing if column.missing is None else column.missing
        words = ([] if column.text else list(MISSING_WORDS)) if words is None else words
        kind = "text" if column.text else kind
        given = column.missing is not None or data.missing is not None
        if kind is not None or given:
            readings[name] = ColumnReading(kind, words, None if notation == ColumnConfig() else notation)
    return readings


def with_columns(frame: pd.DataFrame, columns: Any) -> pd.DataFrame:
    """A copy of `frame` with `columns`, a table or a mapping, in place of its own. The other columns are shared."""
    if not len(columns):
        return frame
    changed = frame.copy(deep=False)
    for name, series in columns.items():
        changed[name] = series
    return changed


def _plain(column: ColumnReading) -> dict[str, Any]:
    missing = {} if column.missing == list(MISSING_WORDS) else {"missing": column.missing}
    return {"kind": column.kind} | missing | ({} if column.notation is None else {"notation": shown(column.notation)})


# ---------------------------------------------------------------- deciding


def decide(
    frames: Sequence[pd.DataFrame],
    typed: Sequence[bool],
    given: Mapping[str, ColumnReading] | None = None,
    missing: Sequence[str | float] | None = None,
    old: bool = False,
) -> tuple[Reading, list[pd.DataFrame]]:
    """The reading of the columns of the first of `frames`, from the cells of all of them.

    Also returns the frames, with text that spells numbers converted to numbers, so that it is parsed only once.

    frames: the tables of the files, each with the columns of the first, as pandas has parsed them; columns in which
        whole numbers have leading zeros as text (`tabular_files.with_leading_zeros`).
    typed: for each file, whether it states the types of its columns, as Parquet does.
    given: columns whose reading, or words for missing values, are already known.
    missing: the words for missing values in all other columns. None: MISSING_WORDS, but in columns of text only "".
    old: as mtlrun 0.1: no dates in CSV files, leading zeros do not count, numbers beside true or false are text, and in
        a CSV file the words are missing values in columns of text too.
    """
    given = given or {}
    if old and missing is None and not all(typed):
        missing = MISSING_WORDS
    columns = {}
    spelled: list[dict[str, pd.Series]] = [{} for _ in frames]
    for name in map(str, frames[0].columns):
        known = given.get(name)
        if known is None or known.kind is None:
            parts = [_Part(frame[name], stated) for frame, stated in zip(frames, typed, strict=True)]
            known = _decided(parts, missing if known is None else known.missing, old)
            for at, part in enumerate(parts):
                if known.kind == "number" and kind_of(part.cells) is TEXT:
                    spelled[at][name] = like(part.cells, part.numbers)
        columns[name] = known
    return Reading(columns), [with_columns(f, changed) for f, changed in zip(frames, spelled, strict=True)]


class _Part:
    """A column in one file.

    cells: the column. Remove the words for missing values before reading a property.
    typed: whether the file states the types of its columns.
    """

    def __init__(self, cells: pd.Series, typed: bool) -> None:
        self.cells, self.typed = cells, typed

    @cached_property
    def numbers(self) -> np.ndarray | None:
        """The cells of a column of numbers, also those that text spells, as float64 [N], NaN if missing; else None."""
        kind = kind_of(self.cells)
        if kind is TEXT:
            return None if self.typed else spelled_numbers(self.cells)
        return as_numbers(self.cells) if kind in (NUMBER, TRUTH) else None

    @property
    def padded(self) -> bool:
        """Whether a cell of text is a whole number with a leading zero."""
        return kind_of(self.cells) is TEXT and bool(leading_zeros(self.cells).any())

    @cached_property
    def kind(self) -> str | None:
        """The name of the kind of the column in this file; None if it has no cell."""
        kind = kind_of(self.cells)
        if kind is NUMBER and not has_cells(self.cells):
            return None
        if kind is not TEXT or self.typed:
            return kind.name
        # text to pandas: numbers or truths beside words for missing values, 1 beside TRUE, and numbers beyond 64 bits
        if self.numbers is not None:
            return TRUTH.name if are_truths(self.cells) else NUMBER.name
        return _ISO if are_iso_dates(self.cells.dropna()) else TEXT.name


def _decided(parts: Sequence[_Part], words: Sequence[str | float] | None, old: bool) -> ColumnReading:
    """The reading of a column, with these words for missing values, or the usual ones."""
    usual = ColumnReading(None, list(MISSING_WORDS) if words is None else list(words))
    for part in parts:
        if words is not None or not part.typed:
            part.cells = usual.without_words(part.cells)
    kind = _joined(parts)
    stated = any(part.typed for part in parts)
    if old and not stated and (kind == "date" or (kind in ("number", "whole") and _mixed(parts))):
        kind = "text"
    if not old and not stated and kind in ("number", "whole") and any(part.padded for part in parts):
        return ColumnReading("text", usual.missing)  # a word such as NA is no code among digits
    return ColumnReading(kind, [] if words is None and kind == "text" else usual.missing)


def _mixed(parts: Sequence[_Part]) -> bool:
    """Whether a column of numbers has cells that spell true or false."""
    cells = [part.cells for part in parts]
    return any(kind_of(c) is TRUTH or (kind_of(c) is TEXT and any_truth(c)) for c in cells)


def _joined(parts: Sequence[_Part]) -> Any:
    """The kind of a column from its part in each file."""
    if all(part.cells.dtype.kind in "iuf" and isinstance(part.cells.dtype, np.dtype) for part in parts):
        return "whole" if _rounded_as_floats([as_numbers(part.cells) for part in parts]) else "number"
    kinds = {part.kind for part in parts} - {None}
    if kinds <= {NUMBER.name, TRUTH.name} and NUMBER.name in kinds:
        return "whole" if _rounded_as_floats([p.numbers for p in parts if p.numbers is not None]) else "number"
    if _ISO in kinds and kinds <= {DATE.name, _ISO}:
        return "date"
    if DATE.name in kinds and kinds <= {DATE.name, _ISO, TEXT.name}:
        dates = all(kind_of(part.cells) is DATE or spelled_dates(part.cells) is not None for part in parts)
        return "date" if dates else "text"
    if not kinds:
        return "number"
    return kinds.pop() if len(kinds) == 1 else "text"


def _rounded_as_floats(numbers: Sequence[np.ndarray]) -> bool:
    """Whether the numbers [N] are whole and some are too large for a float to hold them all."""
    largest = max(np.fmax.reduce(np.abs(values), initial=0.0) for values in numbers)
    return bool(EXACT <= largest < np.inf) and all(map(all_whole, numbers))
