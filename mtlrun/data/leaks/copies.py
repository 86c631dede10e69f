"""Warnings of `mtlrun check` about rows of val and test that are copies of training rows."""

import numpy as np
import pandas as pd

from mtlrun.data.dataset import Dataset
from mtlrun.data.doubts import MIN_ROWS, is_identifier

COPIED_SHARE = 0.1  # share of copies among the rows of val or test above which there is a warning
TELLING = 0.05  # a column distinguishes rows if two rows agree in it by chance with at most this probability
COPY_AGREEMENT = 0.9  # a row is a copy if this share of the rows that agree in all other columns agree in this one too


def row_hashes(dataset: Dataset, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray] | None:
    """Two hashes [N] of the inputs and labels of each row: with and without the most distinctive column.

    Identifiers are ignored, because copies may have new numbers. Returns None if no column distinguishes rows: if every
    column has few values, rows are equal by chance.
    """
    columns = [values for column, values in dataset.cells() if not is_identifier(frame[column.name], column.name)]
    for target in dataset.targets.values():
        columns += [target.values, target.observed]
    agreement = [float(((np.bincount(pd.factorize(c)[0] + 1) / len(c)) ** 2).sum()) for c in columns]
    best = int(np.argmin(agreement))
    if agreement[best] > TELLING:
        return None
    rows = pd.DataFrame(dict(enumerate(columns)))
    others = rows.drop(columns=best)
    return (
        pd.util.hash_pandas_object(rows, index=False).to_numpy(),
        pd.util.hash_pandas_object(others, index=False).to_numpy(),
    )


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
    at = np.searchsorted(known, keys[rows]).clip(max=len(known) - 1)
    found: np.ndarray = np.where(known[at] == keys[rows], counts[at], 0)
    return found
