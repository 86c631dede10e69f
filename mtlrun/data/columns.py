"""The columns that the network reads: how cells become numbers and codes, decided once and kept with the run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from mtlrun.config.values import from_mapping
from mtlrun.data.kinds import DATE, TEXT, as_numbers, as_texts, kind_of
from mtlrun.util.errors import RequestError, listing, nearest

UNKNOWN, MISSING = -1, -2  # codes of a category column
LARGEST = 1e30  # so that squares and scaled values stay finite in float32


@dataclass(frozen=True)
class InputColumn:
    """A column that the network reads.

    Numbers stay as they are; the scaling by the training rows of a run is the network's. `missing` says
    whether the whole table has gaps here, and `date` that the numbers are dates, in days since 1970. Of
    a category column, code i stands for `categories[i]` (sorted text).

    `hidden`: the column is encoded as the target of a reconstruction, and the network does not see it.
    """

    name: str
    kind: Literal["numeric", "category"]
    missing: bool = False
    categories: list[str] = field(default_factory=list)
    date: bool = False
    hidden: bool = False

    @property
    def is_category(self) -> bool:
        """Whether its cells become codes; those of others become numbers."""
        return self.kind == "category"

    @property
    def width(self) -> int:
        """How many numbers the column becomes: an indicator of gaps beside a number, one per category."""
        return (not self.is_category) + self.missing + len(self.categories)

    def numbers(self, series: pd.Series, where: str) -> np.ndarray:
        """The cells as float64 [N], NaN where missing. Raises RequestError as `finite_numbers`, and for no dates."""
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
    """What turns a table into arrays, in the order of `columns`."""

    columns: list[InputColumn]

    @property
    def inputs(self) -> list[InputColumn]:
        """The columns that the network sees."""
        return [c for c in self.columns if not c.hidden]

    @property
    def hidden(self) -> list[InputColumn]:
        """The columns that the network does not see, and reconstructs."""
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
        """How many numbers the network sees."""
        return sum(c.width for c in self.inputs)

    def to_plain(self) -> dict[str, Any]:
        """As JSON types; `from_plain` gives the same again."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "InputSpec":
        """The same as `to_plain` gave it. Raises RequestError, TypeError or AttributeError for anything else."""
        return cls([from_mapping(InputColumn, column, "inputs", "a column") for column in plain["columns"]])

    def transform(self, frame: pd.DataFrame, key: str = "data.inputs") -> tuple[np.ndarray, np.ndarray]:
        """Numbers [N, Dn] float64, NaN where missing; codes [N, Dc] int32, -1 unknown, -2 missing.

        Dates may be written as text, such as 2020-09-22. Raises RequestError (naming `key`) for missing
        columns, all of them at once, for text in a column of numbers, for what is no date in a column of
        dates, and for infinite values. Hidden columns may be missing, and count as such.
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
    """How `inputs` are read, and the columns that are `hidden` after them; notes of what was pooled."""
    columns, notes = [], []
    for name in [*inputs, *hidden]:
        column, pooled = _input_column(name, frame[name], most, name in hidden)
        columns.append(column)
        if pooled:
            notes.append(f"{name}: {pooled} rare values pooled as unknown (data.max_categories={most})")
    return InputSpec(columns), notes


def _input_column(name: str, series: pd.Series, most: int, hidden: bool) -> tuple[InputColumn, int]:
    """How a column is read: text as categories, the `most` frequent ones, anything else as numbers; and how many
    values are pooled as unknown. Raises RequestError for numbers that are not finite."""
    missing, kind = bool(series.isna().any()), kind_of(series)
    if kind is not TEXT:
        finite_numbers(series, f"data.inputs: column {name!r}")  # raises where they are not
        return InputColumn(name, "numeric", missing, date=kind is DATE, hidden=hidden), 0
    counts = pd.Series(as_texts(series)[series.notna().to_numpy()]).value_counts()
    kept = sorted(counts.to_dict().items(), key=lambda item: (-item[1], str(item[0])))[:most]
    categories = sorted(str(k) for k, _ in kept)
    return InputColumn(name, "category", missing, categories, hidden=hidden), len(counts) - len(kept)


def finite_numbers(series: pd.Series, where: str, rows: np.ndarray | None = None) -> np.ndarray:
    """The column as float64 [N], NaN where missing. Text that spells numbers throughout is read as such.

    Raises RequestError with the first row that does not; `rows` `[N]` are their numbers in the table, None: all of it.
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
    infinite = np.isinf(raw)
    if infinite.any():
        first = f"the first in row {row_of(infinite)}"
        raise RequestError(
            f"{where} holds {int(infinite.sum())} infinite values, {first}\n"
            "allowed: finite numbers, or nothing where the value is missing"
        )
    if np.nanmax(np.abs(raw), initial=0.0) > LARGEST:
        raise RequestError(f"{where} holds values as large as {np.nanmax(np.abs(raw)):g}\nallowed: up to {LARGEST:g}")
    return raw


def _days(series: pd.Series, where: str) -> np.ndarray:
    """A column of dates, or of text such as 2020-09-22, as days since 1970: float64 [N], NaN where missing."""
    kind, present = kind_of(series), series.notna().to_numpy()
    if kind is TEXT:
        dates = pd.to_datetime(series, format="ISO8601", errors="coerce", utc=True)
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
