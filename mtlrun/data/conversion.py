"""Converts the cells of a column to one kind: truths, numbers, whole numbers, dates, times or text.

A conversion returns the column unchanged if a cell spells no value of the kind. `CONVERSIONS` lists them by kind.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from mtlrun.config.schema import ColumnConfig
from mtlrun.data.kinds import (
    DATE,
    TEXT,
    TIME,
    TRUTH,
    as_numbers,
    as_texts,
    clock_times,
    has_cells,
    iso_dates,
    kind_of,
)
from mtlrun.data.notation import as_yaml, read
from mtlrun.util.errors import RequestError, data_row

EXACT = 2**53  # floats hold every whole number up to this one
_TRUTHS = {"true": 1.0, "false": 0.0}
_DIGITS = r"\s*[+-]?[0-9]{1,308}\s*"  # within the range of floats


def all_whole(values: np.ndarray) -> bool:
    """Whether all numbers [N] are whole; missing ones (NaN) do not count."""
    present = values[~np.isnan(values)]
    return bool((present == np.rint(present)).all())


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


def spelled_dates(series: pd.Series) -> pd.Series | None:
    """The dates that the cells of a column of text spell; None if a cell spells none."""
    dates = iso_dates(series)
    return dates if dates.notna().equals(series.notna()) else None


def are_truths(series: pd.Series) -> bool:
    """Whether all cells of a column of text spell true or false; missing ones do not count."""
    return bool(series.dropna().str.lower().isin(list(_TRUTHS)).all())


def any_truth(series: pd.Series) -> bool:
    """Whether a cell of a column of text spells true or false."""
    return bool(series.dropna().str.lower().isin(list(_TRUTHS)).any())


def _number(series: pd.Series) -> pd.Series:
    kind = kind_of(series)
    if kind is TRUTH:
        return like(series, as_numbers(series))
    if kind is DATE:
        return _text(series)  # dates spell no numbers
    numbers = spelled_numbers(series) if kind is TEXT else None
    return series if numbers is None else like(series, numbers)


def _bool(series: pd.Series) -> pd.Series:
    if kind_of(series) is TEXT and are_truths(series):
        return series.str.lower().map({word: bool(value) for word, value in _TRUTHS.items()})
    if not has_cells(series):
        return series.astype(object)  # floats beside truth values would become numbers
    return series if kind_of(series) is TRUTH else _number(series)


def _whole(series: pd.Series) -> pd.Series:
    """Exact whole numbers: Int64, or Python integers if a number is beyond 64 bits. Other numbers become floats."""
    if series.dtype.kind in "uf":
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        fits = np.fmax.reduce(np.abs(values), initial=0.0) < EXACT and all_whole(values)
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
    dates = spelled_dates(series) if kind_of(series) is TEXT else None
    return series if dates is None else dates


def _time(series: pd.Series) -> pd.Series:
    if kind_of(series) is not TEXT:
        return series if series.notna().any() else pd.Series(pd.NaT, series.index, dtype="timedelta64[us]")
    times = clock_times(series)
    return times if times.notna().equals(series.notna()) else series


def in_notation(series: pd.Series, notation: ColumnConfig) -> pd.Series:
    """The values of cells in a notation. Cells that are numbers or dates already stay as they are.

    Raises RequestError for a cell that is not in the notation.
    """
    kind = kind_of(series)
    if kind in (DATE, TIME) or (kind is not TEXT and notation.number is not None):
        return series
    codes, cells = pd.factorize(as_texts(series) if kind is not TEXT else series, use_na_sentinel=True)
    values = read(pd.Series(cells, dtype="str"), notation)
    wrong = values.isna().to_numpy()
    if wrong.any():
        row = int(np.argmax(np.isin(codes, np.flatnonzero(wrong))))
        name = str(series.name)
        what = "number" if notation.number is not None else "date" if notation.date is not None else "time"
        mend = f"mend the cell, or name it as missing: data.columns.{name}.missing"
        if wrong.mean() > 0.5 and len(cells) > 1:
            mend = f"{wrong.sum()} of {len(cells)} different cells are not: write the file as data.columns.{name} says"
        raise RequestError(
            f"data.columns.{name}: {cells[codes[row]]!r} in {data_row(row)} "
            f"is no {what} written as {as_yaml(notation)}\n"
            f"{mend}"
        )
    return like(series, values.reindex(codes).array)


def _text(series: pd.Series) -> pd.Series:
    if kind_of(series) is TEXT or not series.notna().any():
        return series
    return like(series, as_texts(series)).astype("str").mask(series.isna())


def like(series: pd.Series, values: Any) -> pd.Series:
    """The values [N] as a column with the index and the name of `series`."""
    return pd.Series(values, series.index, name=series.name)


CONVERSIONS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "bool": _bool,
    "number": _number,
    "whole": _whole,
    "date": _date,
    "time": _time,
    "text": _text,
}
