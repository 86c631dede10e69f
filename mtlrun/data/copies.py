"""Rows of val and test that are copies of training rows: a warning of `mtlrun check`."""

import numpy as np
import pandas as pd

from mtlrun.data.dataset import Dataset
from mtlrun.data.doubts import MIN_ROWS, is_identifier

COPIED_SHARE = 0.1  # of the rows of val or test that are copies of training rows, above which it is said
TELLING = 0.05  # probability, at most, that two rows agree in a column by chance, for it to tell rows apart
COPY_AGREEMENT = 0.9  # of the rows that agree in all other columns, how many agree in this one too, if they are copies


def row_hashes(dataset: Dataset, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray] | None:
    """A hash [N] of each row's inputs and labels, and one without the column that tells rows apart best.

    Identifiers do not count, as copies may have been numbered anew. None if no column tells rows apart:
    where every column has few values, rows are alike by chance.
    """
    inputs = zip([*dataset.spec.numeric, *dataset.spec.category], [*dataset.numeric.T, *dataset.codes.T], strict=True)
    columns = [values for column, values in inputs if not is_identifier(frame[column.name], column.name)]
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
    """A warning for val or test if many of its rows were copied from training rows; hashes [N] as of `row_hashes`.

    Rows without anything special, such as those of children in a census, are equal without being
    copies: they have neighbours that differ in one column alone. A row counts as a copy only if nearly
    all training rows that agree with it in every column but the most telling one agree in that one too.
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
