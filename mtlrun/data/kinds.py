"""The kind of a column: numbers, truth values, dates, times or text. `kind_of` decides; other code uses the object."""

import datetime
import decimal
import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import pandas as pd

LEADING_ZERO = r"[ \t]*0[0-9]+[ \t]*"  # a whole number such as 01
HOURS = 24  # of a day
DAY = 86_400e6  # in microseconds; datetime64[us] covers the years 1 to 9999 and more


class ColumnKind(ABC):
    """One of the five kinds of columns. Each kind is a single object, so `kind is TEXT` tests for it."""

    name: ClassVar[str]

    @abstractmethod
    def numbers(self, series: pd.Series) -> np.ndarray:
        """The cells as float64 [N], NaN if missing. Raises ValueError for text."""

    def comparable(self, series: pd.Series) -> np.ndarray:
        """The cells [N] in a form that can be compared: numbers, or for text an object array of str."""
        return self.numbers(series)

    def classes(self, series: pd.Series) -> tuple[list[Any], np.ndarray]:
        """The sorted distinct cells as Python scalars, and the index [N] of each cell. The column must have no gaps.

        Dates become text. Raises ValueError for infinite numbers.
        """
        texts, codes = np.unique(as_texts(series).astype(str), return_inverse=True)
        return [str(t) for t in texts], codes


class _Number(ColumnKind):
    name = "number"

    def numbers(self, series: pd.Series) -> np.ndarray:
        if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biuf":
            plain: np.ndarray = series.to_numpy().astype(np.float64, copy=False)
            return plain
        if not series.notna().any():
            return np.full(len(series), np.nan)
        numbers: np.ndarray = series.to_numpy(dtype=np.float64, na_value=np.nan)
        return numbers

    def classes(self, series: pd.Series) -> tuple[list[Any], np.ndarray]:
        if (exact := whole_numbers(series)) is not None:
            distinct, codes = np.unique(exact, return_inverse=True)
            return [int(v) for v in distinct], codes
        distinct, codes = np.unique(self.numbers(series), return_inverse=True)
        if np.isinf(distinct).any():
            raise ValueError("infinite values")
        whole = all(float(v).is_integer() for v in distinct)
        return [int(v) if whole else float(v) for v in distinct], codes


class _Truth(_Number):
    """Truth values. As numbers they are 0 and 1."""

    name = "bool"

    def classes(self, series: pd.Series) -> tuple[list[Any], np.ndarray]:
        distinct, codes = np.unique(self.numbers(series), return_inverse=True)
        return [bool(v) for v in distinct], codes


class _Text(ColumnKind):
    name = "text"

    def numbers(self, series: pd.Series) -> np.ndarray:
        raise ValueError("text")

    def comparable(self, series: pd.Series) -> np.ndarray:
        return as_texts(series)


class _Date(ColumnKind):
    """Dates. As numbers they are days since 1970."""

    name = "date"

    def numbers(self, series: pd.Series) -> np.ndarray:
        days = _utc(series).to_numpy().astype(np.int64) / DAY
        return np.where(series.isna().to_numpy(), np.nan, days)


class _Time(ColumnKind):
    """Times of day: timedelta64. As numbers they are hours since midnight."""

    name = "time"

    def numbers(self, series: pd.Series) -> np.ndarray:
        hours: np.ndarray = series.dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan) / 3600
        return hours


NUMBER, TRUTH, DATE, TIME, TEXT = _Number(), _Truth(), _Date(), _Time(), _Text()
_OF_OBJECTS = {  # the kind of a column of Python objects, by the type that pandas infers; any other type is text
    "boolean": TRUTH,
    "integer": NUMBER,
    "floating": NUMBER,
    "mixed-integer-float": NUMBER,
    "decimal": NUMBER,
    "empty": NUMBER,
}


def kind_of(series: pd.Series) -> ColumnKind:
    """The kind of a column. A column without any value counts as numbers."""
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "iuf":
        return NUMBER
    if pd.api.types.is_bool_dtype(series.dtype):
        return TRUTH
    if pd.api.types.is_numeric_dtype(series.dtype):
        return NUMBER
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return DATE
    if pd.api.types.is_timedelta64_dtype(series.dtype):
        return TIME
    if series.dtype == object:
        return _OF_OBJECTS.get(pd.api.types.infer_dtype(series, skipna=True), TEXT)
    return TEXT if series.notna().any() else NUMBER


def plain_numbers(frame: pd.DataFrame) -> set[str]:
    """The columns of numbers with a NumPy type. Their type alone shows their kind."""
    dtypes = frame.dtypes
    plain = [isinstance(dtype, np.dtype) and dtype.kind in "iuf" for dtype in dtypes]
    return set(frame.columns[plain])


def has_cells(series: pd.Series) -> bool:
    """Whether any cell of a column is present."""
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biuf":
        values = series.to_numpy()
        return len(values) > 0 and (values[0] == values[0] or not bool(np.isnan(values).all()))
    return bool(series.notna().any())


def as_numbers(series: pd.Series) -> np.ndarray:
    """A column as float64 [N], NaN if missing: truth values as 0 and 1, dates as days since 1970, times as hours.

    Raises ValueError for text.
    """
    return kind_of(series).numbers(series)


def text_codes(series: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The place [N] of each cell among the distinct texts of a column, -1 if missing, and these texts: str [K].

    Whole numbers are written without a decimal point. The texts are in the order of their first cells.
    """
    codes, values = pd.factorize(series)
    same, texts = pd.factorize(np.array([*map(text_of, values.tolist())], dtype=object))  # the cells 1 and "1" are one
    return np.append(same, -1)[codes], texts


def as_texts(series: pd.Series) -> np.ndarray:
    """A column as an object array [N] of str, "" if missing. Whole numbers are written without a decimal point."""
    codes, texts = text_codes(series)
    return np.append(texts, "")[codes]


def whole_numbers(series: pd.Series) -> np.ndarray | None:
    """A column of integers without gaps as exact integers [N] of NumPy or Python; None for another column."""
    if series.isna().any():
        return None
    if pd.api.types.is_integer_dtype(series.dtype):
        return series.to_numpy(dtype=np.uint64 if series.dtype.kind == "u" else np.int64)
    whole = series.dtype == object and pd.api.types.infer_dtype(series, skipna=True) == "integer"
    return series.to_numpy() if whole else None


def leading_zeros(series: pd.Series) -> np.ndarray:
    """The cells [N] of a column of text that are whole numbers with a leading zero, such as 01."""
    found: np.ndarray = series.str.fullmatch(LEADING_ZERO).fillna(False).to_numpy(dtype=bool)
    return found


def iso_dates(series: pd.Series) -> pd.Series:
    """A column of text such as 2020-09-22, with or without a time, as datetime64[us]; NaT if a cell is no such date."""
    return _utc(pd.to_datetime(series, format="ISO8601", errors="coerce", utc=True))


def text_of(value: Any) -> str:
    """A cell as text. The cells 1, 1.0 and "1" give the same text."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def plain_column(series: pd.Series) -> pd.Series:
    """Converts a column of a file to one of the five kinds.

    Categories become their values, dates datetime64[us] in UTC, times of day timedelta64[us], durations days, decimals
    floats. "" becomes missing.
    """
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = pd.Series(series.to_numpy(dtype=object), series.index, name=series.name).infer_objects()
    if pd.api.types.is_timedelta64_dtype(series.dtype):
        return series.dt.total_seconds() / 86_400.0
    if series.dtype == object and pd.api.types.infer_dtype(series, skipna=True) == "integer":
        numbers = series.map(_float, na_action="ignore").astype(float)
        return numbers if np.isinf(numbers).any() else series  # floats only if a number is too large for one
    if series.dtype == object:
        first = next((v for v in series if not _is_missing(v)), None)
        if isinstance(first, decimal.Decimal):
            return series.astype(float)
        if isinstance(first, datetime.time):
            return clock_times(series.map(str, na_action="ignore"))
        if isinstance(first, datetime.date):
            return _utc(pd.to_datetime(series, errors="coerce", utc=True))
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return _utc(series)
    if kind_of(series) is TEXT and (empty := (series == "").fillna(False).astype(bool)).any():
        return series.mask(empty)
    return series


def clock_times(series: pd.Series) -> pd.Series:
    """Text such as 18:57 or 18:57:03 as timedelta64[us] since midnight, NaT for any other text."""
    text = series.astype("str")
    text = text.where(text.str.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?").fillna(False).astype(bool))
    text = text.where(text.str.count(":") != 1, text + ":00")
    return pd.to_timedelta(text, errors="coerce").astype("timedelta64[us]")


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
