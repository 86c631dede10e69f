"""Doubts about a column or about classes: runs note them, `check` warns of them, `init` writes them as comments.

Every doubt is a guess from the values.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mtlrun.data.kinds import NUMBER, TEXT, as_numbers, kind_of
from mtlrun.util.errors import listing

MIN_ROWS = 20  # fewer rows prove nothing
NUMERIC_SHARE = 0.9  # if at least this share of the cells of a text column are numbers, the others look like mistakes
DATE_SHARE = 0.95  # a text column holds dates if at least this share of its distinct values are dates
IDENTIFIER_SHARE = 0.95  # text is an identifier from this ratio of distinct values to rows
MANY_CLASSES = 20  # values are hardly classes if there are more than this and more than half as many as labels
ID_NAME = re.compile(
    r"(^|_)(id|ids|uid|uuid|guid|key|index|idx|group|patient|subject|person|user|customer|client|site|household|house|"
    r"batch|session|family|school|plot|record|row|rownames|unnamed: 0)(_|$)"
)
_FIRST = 100  # cells that tell of most columns that the others need not be read
_DATES_READ = 1000  # largest number of distinct values that are tried as dates


# ---------------------------------------------------------------- columns


def nearly_numbers(series: pd.Series) -> list[str]:
    """The distinct cells of a text column that are not numbers, if nearly all other cells are; else []."""
    if kind_of(series) is not TEXT:
        return []
    present = series.dropna()
    counts = present.value_counts()
    share, words = _numeric_share([str(v) for v in counts.index], counts.to_numpy())
    return words if share >= NUMERIC_SHARE else []


def dates_as_text(series: pd.Series) -> bool:
    """Whether nearly all values of a text column are dates such as 2020-09-22, with or without a time."""
    if kind_of(series) is not TEXT:
        return False
    present = series.dropna()
    values = pd.Series(present.unique()[:_DATES_READ]).astype(str)
    shaped = values[values.str.match(r"\d{4}-\d\d-\d\d")]
    dates = pd.to_datetime(shaped, format="ISO8601", errors="coerce", utc=True)
    return bool(dates.notna().sum() >= DATE_SHARE * len(values))


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
    return all(np.array_equal(part, np.rint(part), equal_nan=True) for part in (values[:_FIRST], values))


def _numeric_share(texts: Sequence[str], counts: np.ndarray) -> tuple[float, list[str]]:
    """The share of cells that are numbers, and the texts that are not, the most frequent first.

    texts: the distinct texts [n] of a column. counts: how often each occurs [n].
    """
    numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").notna().to_numpy()
    order = np.argsort(-counts, kind="stable")
    return float(counts[numbers].sum() / counts.sum()), [str(texts[i]) for i in order if not numbers[i]]


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
    if isinstance(classes[0], str):
        share, words = _numeric_share(classes, counts)
        if share >= NUMERIC_SHARE and words:
            unlike = listing(map(repr, words), 3)
            return f"read as {len(classes)} classes, though nearly all labels are numbers; not {unlike}"
    if len(classes) <= max(MANY_CLASSES, labels / 2):
        return None
    what = "a number in a notation of its own" if isinstance(classes[0], str) else "a regression"
    return f"{len(classes)} classes in {labels} labels: is it {what}, or an identifier?"


def one_class_twice(classes: Sequence[Any]) -> list[str]:
    """One line per set of classes that differ only in surrounding blanks or in upper and lower case."""
    alike: dict[str, list[str]] = {}
    for name in classes:
        if isinstance(name, str):
            alike.setdefault(name.strip().casefold(), []).append(name)
    return [
        f"classes that differ only in blanks or upper and lower case: {listing(map(repr, names))}"
        for names in alike.values()
        if len(names) > 1
    ]
