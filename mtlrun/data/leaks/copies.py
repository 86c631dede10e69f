"""Warnings of `mtlrun check` about rows of val and test that are copies of training rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtlrun.data.dataset import Dataset
from mtlrun.data.doubts import MIN_ROWS

COPIED_SHARE = 0.1  # share of copies among the rows of val or test above which there is a warning
TELLING = 0.05  # a column distinguishes rows if two rows agree in it by chance with at most this probability
MOST_COMPARED = 10_000  # rows from which the chance of an agreement is estimated
COPY_AGREEMENT = 0.9  # a row is a copy if this share of the rows that agree in all other columns agree in this one too
_MULTIPLIER, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)


def row_hashes(dataset: Dataset, identifiers: set[str]) -> tuple[np.ndarray, np.ndarray] | None:
    """Two hashes [N] of the inputs and labels of each row: with and without the most distinctive column.

    `identifiers` are ignored, because copies may have new numbers. Returns None if no column distinguishes rows: if
    every column has few values, rows are equal by chance.
    """
    columns = [values for column, values in dataset.cells() if column.name not in identifiers]
    for target in dataset.targets.values():
        columns += [target.values, target.observed]
    some = np.random.default_rng(0).permutation(len(dataset.numeric))[:MOST_COMPARED]
    best, least = 0, np.inf
    for i, column in enumerate(columns):
        found = _agreement(column[some])
        best, least = (i, found) if found < least else (best, least)
        if least <= 2 / len(some):  # nearly all values are different
            break
    if least > TELLING:
        return None
    others = combined([column for i, column in enumerate(columns) if i != best])
    return others * _MULTIPLIER ^ combined([columns[best]]), others


def combined(columns: Sequence[np.ndarray]) -> np.ndarray:
    """A hash [N] of the cells of each row, uint64. columns: numbers [N]."""
    result = np.zeros(len(columns[0]) if columns else 0, dtype=np.uint64)
    for column in columns:
        bits = (column.astype(np.float64) + 0.0).view(np.uint64)  # no -0.0
        bits = (bits ^ (bits >> _SHIFT)) * _MULTIPLIER
        result = (result * _MULTIPLIER + bits) ^ (bits >> _SHIFT)
    return result


def _agreement(values: np.ndarray) -> float:
    """The probability that two rows agree in a column [n]."""
    return float(((np.bincount(pd.factorize(values)[0] + 1) / len(values)) ** 2).sum())


def copied_rows(dataset: Dataset, rows: np.ndarray, others: np.ndarray) -> list[str]:
    """Warnings for val and test if many of their rows are copies of training rows.

    rows, others: the two hashes [N] from `row_hashes`. Ordinary rows, such as those of children in a census, can be
    equal without being copies; other rows then differ from them in a single column. A row therefore counts as a copy
    only if nearly all training rows that agree with it in all other columns agree in the most distinctive column too.
    """
    warnings, train = [], dataset.split.train
    for part in ("val", "test"):
        members = dataset.split.parts()[part]
        same, similar = _occurrences(rows, members, train), _occurrences(others, members, train)
        copied = int(((same > 0) & (same >= COPY_AGREEMENT * similar)).sum())
        if len(members) >= MIN_ROWS and copied > COPIED_SHARE * len(members):
            warnings.append(
                f"{part}: {copied} of {len(members)} rows are exact copies of training rows (inputs and "
                "targets), which flatters the figures: remove the copies from the table"
            )
    return warnings


def _occurrences(keys: np.ndarray, rows: np.ndarray, train: np.ndarray) -> np.ndarray:
    """How often the key of each of `rows` [n] occurs among the keys of `train`."""
    known, counts = np.unique(keys[train], return_counts=True)
    asked, place = np.unique(keys[rows], return_inverse=True)  # a search for sorted keys reads `known` in order
    at = np.searchsorted(known, asked).clip(max=len(known) - 1)
    found: np.ndarray = np.where(known[at] == asked, counts[at], 0)[place]
    return found
