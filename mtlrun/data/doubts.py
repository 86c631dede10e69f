"""Doubts about a column or about classes: runs note them, `check` warns of them, `init` writes them as comments.

Every doubt is a guess from the values.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mtlrun.config.schema import ColumnConfig
from mtlrun.data.conversion import spelled_numbers
from mtlrun.data.kinds import NUMBER, TEXT, as_numbers, kind_of, leading_zeros, text_of
from mtlrun.data.notation import ISO, YEARS, are_iso_dates, columns_override, read, recognise, shown
from mtlrun.util.errors import listing

MIN_ROWS = 20  # fewer rows prove nothing
IDENTIFIER_SHARE = 0.95  # text is an identifier from this ratio of distinct values to rows
MARK_NUMBERS = [sign * float("9" * n) for n in range(2, 8) for sign in (-1, 1)]  # -99, 99, -999, …
MIN_DATES = 10  # this many different numbers of eight digits are not all dates by chance
COMPACT = "%Y%m%d"
MANY_CLASSES = 20  # values are hardly classes if there are more than this and more than half as many as labels
ID_NAME = re.compile(
    r"(^|_)(id|ids|uid|uuid|guid|key|index|idx|group|patient|subject|person|user|customer|client|site|household|house|"
    r"batch|session|family|school|plot|record|row|rownames|unnamed: 0)(_|$)"
)
_FIRST = 100  # in most columns these cells show that the others need not be read


# ---------------------------------------------------------------- columns


def notations_of(series: pd.Series) -> list[ColumnConfig]:
    """The notations of numbers, dates or times in which a column may be written, though it is read otherwise.

    Of text, those of `notation.recognise`; text with ISO dates comes from Parquet, which says that it is text. Of whole
    numbers, dates such as 20210806.
    """
    if kind_of(series) is NUMBER:
        return [ColumnConfig(date=COMPACT)] if _are_compact_dates(as_numbers(series)) else []
    if kind_of(series) is not TEXT:
        return []
    present = series.dropna()
    counts = present.value_counts()
    cells = pd.Series([str(cell) for cell in counts.index.tolist()], dtype="str")
    return [ColumnConfig(date=ISO)] if are_iso_dates(cells) else recognise(cells, counts.to_numpy())


def _are_compact_dates(numbers: np.ndarray) -> bool:
    """Whether all numbers [N] are eight digits of a date, NaN if missing. Of others, 4 % would be such by chance."""
    low, high = YEARS
    if (
        not low * 10_000
        <= np.fmin.reduce(numbers, initial=np.inf)
        <= np.fmax.reduce(numbers, initial=0)
        <= high * 10_000
    ):
        return False
    distinct = np.unique(numbers[~np.isnan(numbers)])
    if len(distinct) < MIN_DATES or not np.array_equal(distinct, np.rint(distinct)):
        return False
    cells = pd.Series(distinct.astype(np.int64)).astype("str")
    return bool(read(cells, ColumnConfig(date=COMPACT)).notna().all())


def code_of_digits(series: pd.Series) -> str | None:
    """A cell with a leading zero, such as 01, of a column of text whose cells all spell numbers; else None."""
    if kind_of(series) is not TEXT:
        return None
    cells = pd.Series(series.dropna().unique(), dtype="str")
    padded = leading_zeros(cells)
    return str(cells[padded].iloc[0]) if padded.any() and spelled_numbers(cells) is not None else None


def in_words(found: Sequence[ColumnConfig], cells: Iterable[Any]) -> str:
    """What the cells of a column of text spell in these notations: numbers such as '3,7' beside 'none'."""
    notation, words = found[0], found[0].missing or ()
    kind = "numbers" if notation.number is not None else "dates" if notation.date is not None else "times"
    values = [text_of(cell) for cell in cells if str(cell).strip() not in words]
    beside = f" beside {listing(map(repr, words), 3)}" if words else ""
    return f"{kind} such as {max(values, key=len)!r}{beside}"


def declaration(name: str, found: Sequence[ColumnConfig]) -> str:
    """The setting that reads a column in the notations that are possible for it."""
    return " or ".join(columns_override({name: shown(notation)}) for notation in found)


def marks_of_missing(series: pd.Series) -> dict[float, int]:
    """Counts of numbers such as -999 that are far from all others, so they probably mark missing values.

    A mark is one of MARK_NUMBERS. It is below or above all other numbers, and further from them than they are from each
    other, or it is negative and they are not.
    """
    if kind_of(series) is not NUMBER:
        return {}
    values = as_numbers(series)
    if np.fmax.reduce(np.abs(values), initial=0.0) < -MARK_NUMBERS[0]:
        return {}
    values = values[~np.isnan(values)]
    possible = [v for v in MARK_NUMBERS if (values == v).any()]
    others = values[~np.isin(values, possible)]
    if not possible or len(others) < MIN_ROWS:
        return {}
    low, high = float(others.min()), float(others.max())
    apart = [v for v in possible if max(low - v, v - high) > high - low or (v <= -99 and low >= 0)]
    return {v: int((values == v).sum()) for v in apart}


def is_identifier(series: pd.Series, name: str) -> bool:
    """Whether a column names its rows instead of describing them.

    That is text with at least 95 % distinct values, or whole numbers that are all distinct and either rise or fall from
    row to row, or nearly fill their range, or are called id, key, index or the like.
    """
    kind = kind_of(series)
    if kind is TEXT:
        present = series.dropna()
        return len(present) >= MIN_ROWS and present.nunique() >= IDENTIFIER_SHARE * len(present)
    if kind is not NUMBER or not whole(series):
        return False
    values = as_numbers(series)
    values = values[~np.isnan(values)]
    rows = len(values)
    if rows < MIN_ROWS or len(pd.unique(values[:_FIRST])) < min(rows, _FIRST) or len(pd.unique(values)) < rows:
        return False
    steps = np.diff(values)
    ordered = bool((steps > 0).all() or (steps < 0).all())
    return ordered or np.ptp(values) < 1.5 * rows or ID_NAME.search(name.lower()) is not None


def whole(series: pd.Series) -> bool:
    """Whether all numbers of a column are whole."""
    values = as_numbers(series)
    return all(bool(((part == np.rint(part)) | np.isnan(part)).all()) for part in (values[:_FIRST], values))


# ---------------------------------------------------------------- classes


def class_text(value: Any) -> str:
    """A class as text for messages. It is quoted if it begins or ends with blanks, to make them visible."""
    text = str(value)
    return text if text == text.strip() else repr(text)


def no_classes(classes: Sequence[Any], counts: np.ndarray) -> str | None:
    """The reason why the values of a categorical target do not look like classes, or None.

    counts: the number of labels of each class [K].
    """
    labels = int(counts.sum())
    if isinstance(classes[0], str) and (found := recognise(classes, counts)):
        return f"{len(classes)} classes that are {in_words(found, classes)}"
    if len(classes) <= max(MANY_CLASSES, labels / 2):
        return None
    what = "a number in a notation of its own" if isinstance(classes[0], str) else "a regression"
    return f"{len(classes)} classes in {labels} labels: is it {what}, or an identifier?"


def one_class_twice(classes: Iterable[Any]) -> list[str]:
    """One line per set of classes that differ only in surrounding blanks or in upper and lower case."""
    names = [name for name in classes if isinstance(name, str)]
    keys = [name.strip().casefold() for name in names]
    if len(set(keys)) == len(keys):
        return []
    alike: dict[str, list[str]] = {}
    for key, name in zip(keys, names, strict=True):
        alike.setdefault(key, []).append(name)
    return [
        f"values that differ only in blanks or upper and lower case: {listing(map(repr, names))}; if they are one, "
        "write them alike in the table"
        for names in alike.values()
        if len(names) > 1
    ]
