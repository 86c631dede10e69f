"""Warnings of `mtlrun check` about inputs that reveal a target.

The thresholds are so strict that a warning practically never happens by chance.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtlrun.data.columns import InputColumn
from mtlrun.data.dataset import Dataset
from mtlrun.data.doubts import MIN_ROWS
from mtlrun.data.targets import Target

RANK_CORRELATION = 0.9999
ETA_SQUARED = 0.9999  # variance of a target within equal values of a column: at most 1 - this
CHANCE = 1e-9  # probability of the observed purity if column and target were independent


def leaks(target: Target, dataset: Dataset, rows: np.ndarray, hint: Sequence[str] = ()) -> list[str]:
    """Warnings for inputs that reveal the target, except for the inputs in `hint`.

    rows: row numbers of labelled rows, without copies.
    """
    if len(rows) < MIN_ROWS:
        return []
    labels = target.values[rows].astype(np.float64)
    warnings = []
    for column, cells in dataset.cells():
        values = cells[rows].astype(np.float64)
        present = values >= 0 if column.is_category else ~np.isnan(values)
        if column.hidden or column.name in (target.column, *hint) or present.sum() < MIN_ROWS:
            continue
        if why := _gives_away(values[present], labels[present], target, column):
            warnings.append(f"{column.name}: {why}; is it a copy of the target? then leave it out of data.inputs")
    return warnings


def _gives_away(values: np.ndarray, labels: np.ndarray, target: Target, column: InputColumn) -> str | None:
    """How a column reveals the target, or None if it does not."""
    numeric = not column.is_category
    if not target.classes:
        if numeric and abs(_rank_correlation(values, labels)) >= RANK_CORRELATION:
            return f"orders the rows as the target of {target.task} does"
        if _determines_number(values, labels):
            return f"determines the target of {target.task}: equal values go with equal targets"
        return None
    if _determines_class(values, labels.astype(np.int64)):
        return f"determines the target of {target.task}: every value goes with one class"
    if numeric and _separates(values, labels.astype(np.int64)):
        return f"separates the classes of {target.task} without a single exception"
    return None


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's rank correlation; 0 if x or y is constant."""
    a, b = pd.Series(x).rank().to_numpy(), pd.Series(y).rank().to_numpy()
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else 0.0


def _repeated(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows whose value occurs at least twice, and a code (from 0) for the value of each."""
    codes = pd.factorize(values)[0]
    rows = np.flatnonzero(np.bincount(codes)[codes] >= 2)
    return rows, pd.factorize(codes[rows])[0]


def _determines_number(values: np.ndarray, labels: np.ndarray) -> bool:
    rows, codes = _repeated(values)
    y = labels[rows]
    if len(rows) < MIN_ROWS or codes.max() < 1 or y.std() <= 1e-9 * max(1.0, float(np.abs(y).max())):
        return False
    means = np.bincount(codes, y) / np.bincount(codes)
    return float(((y - means[codes]) ** 2).sum()) <= (1 - ETA_SQUARED) * float(((y - y.mean()) ** 2).sum())


def _determines_class(values: np.ndarray, labels: np.ndarray) -> bool:
    """Whether every repeated value occurs with one class only, and this is practically impossible by chance.

    If the column were independent of the class, k rows of one value would share a class with probability Σ_c p_c^k. The
    product over the values must be below CHANCE.
    """
    rows, codes = _repeated(values)
    if len(rows) < MIN_ROWS:
        return False
    y = labels[rows]
    shares = np.bincount(y) / len(y)
    low, high = np.full(codes.max() + 1, shares.size), np.full(codes.max() + 1, -1)
    np.minimum.at(low, codes, y)
    np.maximum.at(high, codes, y)
    if (low != high).any() or shares.max() == 1:
        return False
    sizes, times = np.unique(np.bincount(codes), return_counts=True)
    # the logarithm of the sum of powers, relative to the largest share to avoid underflow
    top = shares.max()
    per_size = sizes * np.log(top) + np.log(((shares[:, None] / top) ** sizes).sum(0))
    return float(times @ per_size) < np.log(CHANCE)


def _separates(values: np.ndarray, labels: np.ndarray) -> bool:
    """Whether the classes occupy disjoint ranges of the column, with at least five rows in two of the classes."""
    counts = np.bincount(labels)
    known = np.flatnonzero(counts)
    if len(known) < 2 or np.sort(counts[known])[-2] < 5:
        return False
    low, high = np.full(len(counts), np.inf), np.full(len(counts), -np.inf)
    np.minimum.at(low, labels, values)
    np.maximum.at(high, labels, values)
    order = known[np.argsort(low[known], kind="stable")]
    return bool((high[order[:-1]] < low[order[1:]]).all())
