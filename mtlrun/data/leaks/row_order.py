"""Leaks through the order of the rows: inputs that hold the target of a later row, neighbours with alike targets."""

import itertools

import numpy as np
import pandas as pd

from mtlrun.data.leaks.column_scores import MIN_ROWS, score
from mtlrun.data.leaks.sample import MOST_ROWS
from mtlrun.data.leaks.telling_inputs import Told
from mtlrun.data.targets import Target

STEPS = 5  # an input is compared with the targets of this many later rows
FIRST = 100  # for most columns these rows decide
EQUAL = 0.9  # share of rows whose input is the later target
SMOOTH = 0.9  # least score of the order in time for the target
NEAR = 0.8  # least score of the order of the rows
APART = 4  # least ratio of the error of blocks of rows to that of neighbours
BLOCKS = 50  # blocks of consecutive rows in a table
TURNS = 0.05  # a table with a smaller share of steps up, or of steps down, is sorted
MIN_BLOCK = 8  # least rows of a block
MOST_NEIGHBOURS = 100_000  # most rows that are looked at


def later_targets(cells: dict[str, np.ndarray], target: Target, order: np.ndarray) -> Told:
    """The numeric inputs [N] that hold the target of one of the next rows.

    order: the row numbers of the table in time, or in the order of the file.
    """
    if not cells:
        return {}
    rows = order[target.observed[order]][:MOST_ROWS]
    labels = target.values[rows]
    first = np.array([values[rows[:FIRST]] for values in cells.values()])  # [columns, FIRST]
    told: Told = {}
    for step in range(1, STEPS + 1):
        now, later = labels[:-step], labels[step:]
        if len(now) < MIN_ROWS or (now == later).mean() > 0.5:
            continue
        possible = _equal(first[:, : len(later)], later[:FIRST])
        for name, values in itertools.compress(cells.items(), possible):
            if name not in told and _equal(values[rows[:-step]], later):
                told[name] = f"holds the {target.task} of {'the next row' if step == 1 else f'{step} rows later'}"
    return told


def _equal(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether nearly all of the values [..., n] equal the labels [n]."""
    equal: np.ndarray = (np.abs(values - labels) <= 1e-6 * np.abs(labels)).mean(-1) >= EQUAL
    return equal


def changes_slowly(dates: np.ndarray, target: Target) -> bool:
    """Whether rows next to each other in time have nearly the same target. dates: numbers [N], NaN if missing."""
    rows = np.flatnonzero(target.observed & ~np.isnan(dates))
    if len(rows) < MIN_ROWS or pd.Series(dates[rows]).nunique() < len(rows) / 5:
        return False
    labels = _labels(target, rows[np.argsort(dates[rows], kind="stable")])
    return score(np.arange(len(labels)), labels, bool(target.classes), category=False) >= SMOOTH


def neighbours_alike(target: Target) -> bool:
    """Whether rows next to each other in the table have nearly the same target, and the table is not sorted by it.

    The mean of a block of rows then predicts the target much worse than the neighbours do, and the target rises as
    well as falls.
    """
    labels = _labels(target, np.flatnonzero(target.observed))
    if len(labels) < MIN_BLOCK * BLOCKS:
        return False
    steps = np.sign(np.diff(labels))
    if min((steps > 0).sum(), (steps < 0).sum()) < TURNS * (steps != 0).sum():
        return False
    place, classes = np.arange(len(labels)), bool(target.classes)
    near = score(place, labels, classes, category=False)
    far = score(place * BLOCKS // len(labels), labels, classes, category=True)
    return near >= NEAR and 1 - far >= APART * (1 - near)


def _labels(target: Target, rows: np.ndarray) -> np.ndarray:
    labels = target.values[rows[:MOST_NEIGHBOURS]]
    return labels.astype(np.int64) if target.classes else labels
