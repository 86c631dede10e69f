"""The input columns: how cells become numbers and codes. This is decided once and stored with the run."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from mtlrun.config.fields import COLUMN
from mtlrun.config.schema.model import Embedding, ModelConfig
from mtlrun.config.values import from_mapping
from mtlrun.data.cycles import cycles_of, with_cycles
from mtlrun.data.kinds import (
    DATE,
    HOURS,
    TEXT,
    TIME,
    ColumnKind,
    as_numbers,
    clock_times,
    iso_dates,
    kind_of,
    text_codes,
)
from mtlrun.data.notation import columns_override, recognise, shown
from mtlrun.data.reading import ColumnReading, Reading
from mtlrun.util.errors import RequestError, data_row, listing, nearest

UNKNOWN, MISSING = -1, -2  # codes of a category column
LARGEST = 1e30  # keeps scaled values finite in float32

Columns = pd.DataFrame | Mapping[str, pd.Series]  # the columns of a table by name


@dataclass(frozen=True)
class InputColumn:
    """An encoded column.

    Numbers are not scaled here; the network scales them with the training rows of a run. In a category column, code i
    stands for `categories[i]` (sorted text).

    missing: the column has gaps somewhere in the whole table.
    date: the numbers are dates, in days since 1970. time: they are times of day, in hours.
    cycles: the cycles whose sine and cosine follow the number: year, week, day; see data/cycles.py.
    hidden: the column is the target of a reconstruction, and the network does not see it.
    two_valued: the whole table has two numbers in the column at most, so that it gets no embedding.
    """

    name: str = field(metadata=COLUMN)
    kind: Literal["numeric", "category"]
    missing: bool = False
    categories: list[str] = field(default_factory=list)
    date: bool = False
    hidden: bool = False
    time: bool = False
    cycles: list[str] = field(default_factory=list)
    two_valued: bool = field(default=False, compare=False)  # older versions have not stored it

    @property
    def is_category(self) -> bool:
        """Whether the cells become codes; otherwise they become numbers."""
        return self.kind == "category"

    @property
    def count(self) -> int:
        """The number of numbers that a cell becomes: 0 for a category, 1, or with sine and cosine of each cycle."""
        return 0 if self.is_category else 1 + 2 * len(self.cycles)

    @property
    def width(self) -> int:
        """The number of network inputs of the column: its numbers or one per category, plus an indicator of gaps."""
        return self.count + self.missing + len(self.categories)

    def number(self, series: pd.Series, where: str) -> np.ndarray:
        """The cells as float64 [N], NaN if missing: numbers, days since 1970, or hours since midnight.

        Raises RequestError as `finite_numbers`, and for an invalid date or time.
        """
        if self.date or self.time:
            return _days_or_hours(series, DATE if self.date else TIME, where)
        return finite_numbers(series, where)

    def numbers(self, series: pd.Series, where: str) -> np.ndarray:
        """`number` followed by sine and cosine of each cycle: float64 [N, count]. Raises the same RequestErrors."""
        number = self.number(series, where)
        return with_cycles(number, number / HOURS if self.time else number, self.cycles)

    def codes(self, series: pd.Series) -> np.ndarray:
        """The cells as int32 [N]: indices into `categories`, -1 unknown, -2 missing."""
        position = {text: code for code, text in enumerate(self.categories)}
        places, texts = text_codes(series)
        return np.array([*(position.get(text, UNKNOWN) for text in texts), MISSING], dtype=np.int32)[places]


@dataclass(frozen=True)
class InputSpec:
    """The encoding of a table as arrays, in the order of `columns`.

    embedding: the further inputs that the network has for each number (`model.embedding`)
    """

    columns: list[InputColumn]
    embedding: Embedding = "none"

    @property
    def inputs(self) -> list[InputColumn]:
        """The columns that the network sees."""
        return [c for c in self.columns if not c.hidden]

    @property
    def hidden(self) -> list[InputColumn]:
        """The columns that the network does not see but reconstructs."""
        return [c for c in self.columns if c.hidden]

    @cached_property
    def numeric(self) -> list[InputColumn]:
        """The columns of the numbers [N, Dn]."""
        return [c for c in self.columns if not c.is_category]

    @cached_property
    def places(self) -> list[slice]:
        """The places of each column of `numeric` among the numbers [N, Dn]."""
        ends = np.cumsum([0, *(c.count for c in self.numeric)]).tolist()
        return [slice(start, end) for start, end in itertools.pairwise(ends)]

    @cached_property
    def category(self) -> list[InputColumn]:
        """The columns of the codes [N, Dc]."""
        return [c for c in self.columns if c.is_category]

    @property
    def width(self) -> int:
        """The number of network inputs without embeddings."""
        return sum(c.width for c in self.inputs)

    @property
    def embeddable(self) -> list[int]:
        """The places, among the numbers [Dn], of those that an embedding makes further inputs of."""
        pairs = zip(self.numeric, self.places, strict=True)
        return [i for c, place in pairs if not (c.hidden or c.two_valued) for i in range(place.start, place.stop)]

    def width_in(self, net: ModelConfig) -> int:
        """The number of network inputs, with those that the embedding makes."""
        return self.width + net.per_number(self.embedding) * len(self.embeddable)

    def reading(self) -> Reading:
        """How categories and dates are read for a run of an older version, which has not stored its reading."""
        coded = [c for c in self.columns if c.is_category or c.date]
        read = {c.name: ColumnReading("text" if c.is_category else "date") for c in coded}
        return Reading(read)

    def to_plain(self) -> dict[str, Any]:
        """The spec as JSON types; `from_plain` reads them."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "InputSpec":
        """The spec from the result of `to_plain`. Raises RequestError, TypeError or AttributeError for other values."""
        columns = [from_mapping(InputColumn, column, "inputs", "a column") for column in plain["columns"]]
        return cls(columns, plain.get("embedding", "none"))

    def transform(self, columns: Columns, key: str = "data.inputs") -> tuple[np.ndarray, np.ndarray]:
        """Numbers [N, Dn] float64, NaN if missing; codes [N, Dc] int32, -1 unknown, -2 missing.

        Dates may be written as text, such as 2020-09-22. Raises RequestError with `key` for absent columns (it names
        all of them), for text in a column of numbers, for an invalid date in a column of dates and for infinite values.
        Hidden columns may be absent; their cells are then missing.
        """
        absent = [c.name for c in self.inputs if c.name not in columns]
        if absent:
            names = [str(name) for name in columns]
            words = [f"{name!r}{nearest(name, names)}" for name in absent]
            raise RequestError(
                f"{key}: the table lacks {len(absent)} of {len(self.inputs)} input columns: "
                f"{listing(words, 50)}\ncolumns: {listing(names)}"
            )
        rows = len(columns[self.inputs[0].name])
        numbers = np.empty((rows, sum(c.count for c in self.numeric)))
        codes = np.empty((rows, len(self.category)), dtype=np.int32)
        for column, place in zip(self.numeric, self.places, strict=True):
            given, where = column.name in columns, f"{key}: column {column.name!r}"
            numbers[:, place] = column.numbers(columns[column.name], where) if given else np.nan
        for j, column in enumerate(self.category):
            codes[:, j] = column.codes(columns[column.name]) if column.name in columns else MISSING
        return numbers, codes


def input_spec(
    columns: Columns, inputs: Sequence[str], most: int, hidden: Sequence[str] = (), cycles: bool = True
) -> tuple[InputSpec, list[str]]:
    """The spec of the `inputs` followed by the `hidden` columns, and notes on pooled categories.

    most: the largest number of categories of a column. cycles: whether dates and times have sine and cosine inputs.
    """
    encoded, notes = [], []
    for name in [*inputs, *hidden]:
        column, pooled = _input_column(name, columns[name], most, name in hidden)
        encoded.append(column if cycles else replace(column, cycles=[]))
        if pooled:
            notes.append(f"{name}: {pooled} rare values pooled as unknown (data.max_categories={most})")
    return InputSpec(encoded), notes


def _input_column(name: str, series: pd.Series, most: int, hidden: bool) -> tuple[InputColumn, int]:
    """The encoding of a column, and the number of values that are pooled as unknown.

    Text becomes the `most` frequent categories; any other kind becomes numbers. Raises RequestError for numbers that
    `finite_numbers` refuses.
    """
    kind = kind_of(series)
    if kind is not TEXT:
        numbers = finite_numbers(series, f"data.inputs: column {name!r}")
        days = numbers if kind is DATE else numbers / HOURS
        cycles = cycles_of(days) if kind in (DATE, TIME) else []
        missing = bool(np.isnan(numbers).any())
        least, most = np.fmin.reduce(numbers, initial=np.inf), np.fmax.reduce(numbers, initial=-np.inf)
        two_valued = not ((numbers > least) & (numbers < most)).any()
        return InputColumn(name, "numeric", missing, [], kind is DATE, hidden, kind is TIME, cycles, two_valued), 0
    codes, texts = text_codes(series)
    kept, present = texts.tolist(), codes[codes >= 0]
    if len(texts) > most:
        times = dict(zip(kept, np.bincount(present).tolist(), strict=True))
        kept = sorted(kept, key=lambda text: (-times[text], text))[:most]
    missing = len(present) < len(codes)
    return InputColumn(name, "category", missing, sorted(kept), hidden=hidden), len(texts) - len(kept)


def finite_numbers(series: pd.Series, where: str, rows: np.ndarray | None = None) -> np.ndarray:
    """The column as float64 [N], NaN if missing. Text is converted if every present cell spells a number.

    rows: the row numbers `[N]` in the table, for messages; None if `series` is a whole column. Raises RequestError with
    the first wrong row for other text, for infinite numbers and for numbers beyond `LARGEST`.
    """

    def row_of(bad: np.ndarray) -> str:
        at = int(np.argmax(bad))
        return data_row(at if rows is None else int(rows[at]))

    if kind_of(series) is TEXT:
        raw = pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        words = series.notna().to_numpy() & np.isnan(raw)
        if words.any():
            found = series.iloc[int(np.argmax(words))]
            raise RequestError(
                f"{where} holds text, such as {found!r} in {row_of(words)}\nallowed: numbers; {_mend(series)}"
            )
    else:
        raw = as_numbers(series)
    if np.fmax.reduce(np.abs(raw), initial=0.0) <= LARGEST:
        return raw
    infinite = np.isinf(raw)
    if infinite.any():
        first = f"the first in {row_of(infinite)}"
        raise RequestError(
            f"{where} holds {int(infinite.sum())} infinite values, {first}\n"
            "allowed: finite numbers, or nothing where the value is missing"
        )
    largest = np.nanmax(np.abs(raw))
    raise RequestError(f"{where} holds values as large as {largest:g}\nallowed: up to {LARGEST:g}")


def _mend(series: pd.Series) -> str:
    """What to do about text in a column of numbers."""
    cells = series.dropna().value_counts()
    notations = recognise([str(cell) for cell in cells.index], cells.to_numpy())
    if notations and series.name is not None:
        return f"if they are written so: {columns_override({str(series.name): shown(notations[0])})}"
    return "mend the table or leave the column out"


_AS_TEXT = {
    DATE: (iso_dates, "dates", "dates such as 2020-09-22"),
    TIME: (clock_times, "times of day", "times such as 18:57"),
}


def _days_or_hours(series: pd.Series, kind: ColumnKind, where: str) -> np.ndarray:
    """A column of dates, or of times of day, or of their text, as numbers: float64 [N], NaN if missing.

    kind: DATE gives days since 1970, TIME gives hours since midnight. Raises RequestError for any other cell.
    """
    read, what, allowed = _AS_TEXT[kind]
    found, present = kind_of(series), series.notna().to_numpy()
    values = read(series) if found is TEXT else series
    wrong = present & (values.isna().to_numpy() if found is TEXT else found is not kind)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise RequestError(
            f"{where} holds {what} in training, but {series.iloc[row]!r} in {data_row(row)}\n"
            f"allowed: {allowed}, or nothing where the value is missing"
        )
    return as_numbers(values)
