"""The input columns: how cells become numbers and codes. This is decided once and stored with the run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from mtlrun.config.fields import COLUMN
from mtlrun.config.values import from_mapping
from mtlrun.data.kinds import DATE, TEXT, as_numbers, as_texts, iso_dates, kind_of
from mtlrun.data.reading import ColumnReading, Reading
from mtlrun.util.errors import RequestError, listing, nearest

UNKNOWN, MISSING = -1, -2  # codes of a category column
LARGEST = 1e30  # keeps scaled values finite in float32


@dataclass(frozen=True)
class InputColumn:
    """An encoded column.

    Numbers are not scaled here; the network scales them with the training rows of a run. In a category column, code i
    stands for `categories[i]` (sorted text).

    missing: the column has gaps somewhere in the whole table.
    date: the numbers are dates, in days since 1970.
    hidden: the column is the target of a reconstruction, and the network does not see it.
    """

    name: str = field(metadata=COLUMN)
    kind: Literal["numeric", "category"]
    missing: bool = False
    categories: list[str] = field(default_factory=list)
    date: bool = False
    hidden: bool = False

    @property
    def is_category(self) -> bool:
        """Whether the cells become codes; otherwise they become numbers."""
        return self.kind == "category"

    @property
    def width(self) -> int:
        """The number of network inputs of the column: a number or one per category, plus an indicator of gaps."""
        return (not self.is_category) + self.missing + len(self.categories)

    def numbers(self, series: pd.Series, where: str) -> np.ndarray:
        """The cells as float64 [N], NaN if missing. Raises RequestError as `finite_numbers`, or for an invalid date."""
        return _days(series, where) if self.date else finite_numbers(series, where)

    def codes(self, series: pd.Series) -> np.ndarray:
        """The cells as int32 [N]: indices into `categories`, -1 unknown, -2 missing."""
        position = {text: code for code, text in enumerate(self.categories)}
        where, values = pd.factorize(as_texts(series))
        codes = np.array([position.get(v, UNKNOWN) for v in values] or [UNKNOWN], dtype=np.int32)[where]
        codes[series.isna().to_numpy()] = MISSING
        return codes


@dataclass(frozen=True)
class InputSpec:
    """The encoding of a table as arrays, in the order of `columns`."""

    columns: list[InputColumn]

    @property
    def inputs(self) -> list[InputColumn]:
        """The columns that the network sees."""
        return [c for c in self.columns if not c.hidden]

    @property
    def hidden(self) -> list[InputColumn]:
        """The columns that the network does not see but reconstructs."""
        return [c for c in self.columns if c.hidden]

    @property
    def numeric(self) -> list[InputColumn]:
        """The columns of the numbers [N, Dn]."""
        return [c for c in self.columns if not c.is_category]

    @property
    def category(self) -> list[InputColumn]:
        """The columns of the codes [N, Dc]."""
        return [c for c in self.columns if c.is_category]

    @property
    def width(self) -> int:
        """The number of network inputs."""
        return sum(c.width for c in self.inputs)

    def reading(self) -> Reading:
        """How categories and dates are read for a run that has not stored its reading, from before mtlrun did so."""
        coded = [c for c in self.columns if c.is_category or c.date]
        read = {c.name: ColumnReading("text" if c.is_category else "date") for c in coded}
        return Reading(read)

    def to_plain(self) -> dict[str, Any]:
        """The spec as JSON types; `from_plain` reads them."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "InputSpec":
        """The spec from the result of `to_plain`. Raises RequestError, TypeError or AttributeError for other values."""
        return cls([from_mapping(InputColumn, column, "inputs", "a column") for column in plain["columns"]])

    def transform(self, frame: pd.DataFrame, key: str = "data.inputs") -> tuple[np.ndarray, np.ndarray]:
        """Numbers [N, Dn] float64, NaN if missing; codes [N, Dc] int32, -1 unknown, -2 missing.

        Dates may be written as text, such as 2020-09-22. Raises RequestError with `key` for absent columns (it names
        all of them), for text in a column of numbers, for an invalid date in a column of dates and for infinite values.
        Hidden columns may be absent; their cells are then missing.
        """
        absent = [c.name for c in self.inputs if c.name not in frame.columns]
        if absent:
            columns = [str(c) for c in frame.columns]
            words = [f"{name!r}{nearest(name, columns)}" for name in absent]
            raise RequestError(
                f"{key}: the table lacks {len(absent)} of {len(self.inputs)} input columns: "
                f"{listing(words, 50)}\ncolumns: {listing(columns)}"
            )
        numbers = np.full((len(frame), len(self.numeric)), np.nan)
        codes = np.full((len(frame), len(self.category)), MISSING, dtype=np.int32)
        for j, column in enumerate(self.numeric):
            if column.name in frame.columns:
                numbers[:, j] = column.numbers(frame[column.name], f"{key}: column {column.name!r}")
        for j, column in enumerate(self.category):
            if column.name in frame.columns:
                codes[:, j] = column.codes(frame[column.name])
        return numbers, codes


def input_spec(
    frame: pd.DataFrame, inputs: Sequence[str], most: int, hidden: Sequence[str] = ()
) -> tuple[InputSpec, list[str]]:
    """The spec of the `inputs` followed by the `hidden` columns, and notes on pooled categories.

    most: the largest number of categories of a column.
    """
    columns, notes = [], []
    for name in [*inputs, *hidden]:
        column, pooled = _input_column(name, frame[name], most, name in hidden)
        columns.append(column)
        if pooled:
            notes.append(f"{name}: {pooled} rare values pooled as unknown (data.max_categories={most})")
    return InputSpec(columns), notes


def _input_column(name: str, series: pd.Series, most: int, hidden: bool) -> tuple[InputColumn, int]:
    """The encoding of a column, and the number of values that are pooled as unknown.

    Text becomes the `most` frequent categories; any other kind becomes numbers. Raises RequestError for numbers that
    `finite_numbers` refuses.
    """
    missing, kind = bool(series.isna().any()), kind_of(series)
    if kind is not TEXT:
        finite_numbers(series, f"data.inputs: column {name!r}")  # only to raise
        return InputColumn(name, "numeric", missing, date=kind is DATE, hidden=hidden), 0
    counts = pd.Series(as_texts(series)[series.notna().to_numpy()]).value_counts()
    kept = sorted(counts.to_dict().items(), key=lambda item: (-item[1], str(item[0])))[:most]
    categories = sorted(str(k) for k, _ in kept)
    return InputColumn(name, "category", missing, categories, hidden=hidden), len(counts) - len(kept)


def finite_numbers(series: pd.Series, where: str, rows: np.ndarray | None = None) -> np.ndarray:
    """The column as float64 [N], NaN if missing. Text is converted if every present cell spells a number.

    rows: the row numbers `[N]` in the table, for messages; None if `series` is a whole column. Raises RequestError with
    the first wrong row for other text, for infinite numbers and for numbers beyond `LARGEST`.
    """

    def row_of(bad: np.ndarray) -> int:
        at = int(np.argmax(bad))
        return 1 + (at if rows is None else int(rows[at]))

    if kind_of(series) is TEXT:
        raw = pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        words = series.notna().to_numpy() & np.isnan(raw)
        if words.any():
            found = series.iloc[int(np.argmax(words))]
            raise RequestError(
                f"{where} holds text, such as {found!r} in row {row_of(words)}\n"
                "allowed: numbers; mend the table or leave the column out"
            )
    else:
        raw = as_numbers(series)
    if np.fmax.reduce(np.abs(raw), initial=0.0) <= LARGEST:
        return raw
    infinite = np.isinf(raw)
    if infinite.any():
        first = f"the first in row {row_of(infinite)}"
        raise RequestError(
            f"{where} holds {int(infinite.sum())} infinite values, {first}\n"
            "allowed: finite numbers, or nothing where the value is missing"
        )
    largest = np.nanmax(np.abs(raw))
    raise RequestError(f"{where} holds values as large as {largest:g}\nallowed: up to {LARGEST:g}")


def _days(series: pd.Series, where: str) -> np.ndarray:
    """A column of dates, or of text such as 2020-09-22, as days since 1970: float64 [N], NaN if missing."""
    kind, present = kind_of(series), series.notna().to_numpy()
    if kind is TEXT:
        dates = iso_dates(series)
        no_date = present & dates.isna().to_numpy()
    else:
        dates, no_date = series, present & (kind is not DATE)
    if no_date.any():
        row = int(np.argmax(no_date))
        raise RequestError(
            f"{where} holds dates in training, but {series.iloc[row]!r} in row {row + 1}\n"
            "allowed: dates such as 2020-09-22, or nothing where the value is missing"
        )
    return as_numbers(dates)
