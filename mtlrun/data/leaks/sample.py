"""Draws the rows from which leaks are judged: some thousands, because a leak shows in them as well as in all rows."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mtlrun.data.columns import Columns
from mtlrun.data.dataset import Dataset
from mtlrun.data.kinds import text_codes
from mtlrun.data.leaks.column_scores import ranks
from mtlrun.data.leaks.copies import combined
from mtlrun.data.targets import Target

MOST_ROWS = 4000
LEAST_ROWS = 500
MOST_CELLS = 2_000_000  # of rows × columns: wide tables get fewer rows


@dataclass(frozen=True, eq=False)
class Column:
    """An input in the rows of a sample.

    values: numbers [n], NaN if missing; or codes [n] of the distinct texts, -1 if missing, for a `category`.
    """

    name: str
    values: np.ndarray
    category: bool

    @property
    def present(self) -> np.ndarray:
        """Mask [n] of the cells that are not missing."""
        return self.values >= 0 if self.category else ~np.isnan(self.values)


@dataclass(frozen=True)
class Sample:
    """A target and the inputs in some of the rows with a label, in random order.

    rows: row numbers [n] in the table. labels: numbers [n], or indices [n] into `classes` if there are any.
    weights: rows of the table [classes] for each row of the sample; empty without classes.
    """

    task: str
    rows: np.ndarray
    labels: np.ndarray
    classes: list[Any]
    weights: np.ndarray
    columns: list[Column]

    @cached_property
    def place(self) -> np.ndarray:
        """The ranks [n] of the labels."""
        return ranks(self.labels)

    def __len__(self) -> int:
        return len(self.rows)


def draw(target: Target, dataset: Dataset, columns: Columns, skipped: set[str], identifiers: set[str]) -> Sample:
    """Draws the sample for a target: distinct rows, classes as even as possible, and inputs that are not `skipped`.

    identifiers: columns in which copies of a row may differ.

    The draw does not depend on the seed of the run, so that `check` always says the same of a table.
    """
    inputs = [c for c in dataset.spec.columns if not c.hidden and c.name != target.column and c.name not in skipped]
    most = max(LEAST_ROWS, min(MOST_ROWS, MOST_CELLS // max(1, len(inputs))))
    random = np.random.default_rng(0)
    rows = random.permutation(np.flatnonzero(target.observed))
    classes = target.classes
    if classes and len(rows) > most:
        labels = target.values[rows].astype(np.int64)
        place = pd.Series(labels).groupby(labels).cumcount().to_numpy()  # the first of each class, then the second, …
        rows = rows[np.sort(np.argsort(place, kind="stable")[:most])]
    else:
        rows = rows[:most]
    numbers = {c.name: place.start for c, place in zip(dataset.spec.numeric, dataset.spec.places, strict=True)}
    numeric = np.ascontiguousarray(dataset.numeric[rows].T)
    drawn = [
        Column(c.name, text_codes(columns[c.name].iloc[rows])[0], True)
        if c.is_category
        else Column(c.name, numeric[numbers[c.name]], False)
        for c in inputs
    ]
    labels = target.values[rows].astype(np.int64 if classes else np.float64)
    hashed = combined([*(c.values for c in drawn if c.name not in identifiers), labels])
    first = ~pd.Series(hashed).duplicated().to_numpy()  # in copied rows any column seems to tell the target
    if not first.all():
        drawn = [Column(c.name, c.values[first], c.category) for c in drawn]
    rows, labels = rows[first], labels[first]
    return Sample(target.task, rows, labels, classes, _weights(target, labels), drawn)


def _weights(target: Target, labels: np.ndarray) -> np.ndarray:
    """The rows of the table with each class of a target, for each row of a sample with `labels`: [classes]."""
    count = len(target.classes or [])
    if not count:
        return np.zeros(0)
    known = np.bincount(target.values[target.observed].astype(np.int64), minlength=count)
    weights: np.ndarray = known / np.maximum(np.bincount(labels, minlength=count), 1)
    return weights


def scales(sample: Sample) -> list[np.ndarray]:
    """The labels as they are and, of numbers, as ranks: a list of arrays [n]."""
    return [sample.labels] if sample.classes else [sample.labels, sample.place]
