"""Rows of val and test that are training rows with a little noise."""

import itertools

import numpy as np

from mtlrun.data.dataset import Dataset
from mtlrun.data.doubts import MIN_ROWS

NEAR_SHARE = 0.1  # share of such rows among the rows of val or test above which there is a warning
NEAR = 0.05  # largest distance to the nearest training row, divided by the distance to the `FAR`-th nearest
FAR = 10
ALIKE = 0.05  # numeric targets are alike if they differ by at most this share of the standard deviation
EXCESS = 5  # least ratio to the share of such rows among evenly spread rows
MIN_COLUMNS = 3  # least number of numeric inputs that mostly differ from row to row
MOST_COLUMNS = 200
MOST_ROWS = 300  # of val or test
MOST_TRAIN = 50_000  # larger tables are not searched: a sample of train would lack the originals of most copies


def nearly_copied_rows(dataset: Dataset) -> list[str]:
    """Warnings for val and test if many of their rows are nearly training rows, targets included."""
    train = dataset.split.train
    if len(train) > MOST_TRAIN or len(train) < MIN_ROWS:
        return []
    space = _space(dataset)
    if space.shape[1] < MIN_COLUMNS:
        return []
    warnings, random = [], np.random.default_rng(0)
    for part in ("val", "test"):
        members = dataset.split.parts()[part]
        if len(members) < MIN_ROWS:
            continue
        rows = np.sort(random.permutation(members)[:MOST_ROWS])
        nearest, ratio, dimension = _neighbours(space, rows, train)
        near = (ratio < NEAR) & _alike(dataset, rows, nearest)
        expected = 1 - (1 - NEAR**dimension) ** (FAR - 1)
        if near.mean() > max(NEAR_SHARE, EXCESS * expected):
            warnings.append(
                f"{part}: {int(near.sum())} of {len(rows)} rows are training rows with a little noise (inputs and "
                "targets), which flatters the figures: keep the versions of a row together with data.split.by"
            )
    return warnings


def _space(dataset: Dataset) -> np.ndarray:
    """The numeric inputs [N, D] that are mostly different from row to row, standardised, missing cells as the mean."""
    train = dataset.split.train[:2000]
    columns = [place.start for place in dataset.spec.places]  # of a date, its days
    varied = (j for j in columns if len(np.unique(dataset.numeric[train, j])) > len(train) / 5)
    chosen = list(itertools.islice(varied, MOST_COLUMNS))
    numbers = dataset.numeric[:, chosen]
    spread = np.nanstd(numbers, 0) if chosen else np.ones(0)
    return np.nan_to_num((numbers - (np.nanmean(numbers, 0) if chosen else 0)) / np.where(spread > 0, spread, 1))


def _neighbours(space: np.ndarray, rows: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The nearest training row of each row [n], its distance divided by that of the `FAR`-th [n], and the dimension.

    It is the local dimension of the rows, estimated from the distances of the middle and the last neighbour (Levina &
    Bickel, NeurIPS 2004).
    """
    known, squares = space[train], (space[train] ** 2).sum(1)
    distances, places = np.empty((len(rows), FAR)), np.empty(len(rows), dtype=np.int64)
    for i, row in enumerate(space[rows]):
        found = np.sqrt(np.maximum(squares - 2 * (known @ row) + row @ row, 0))
        nearest = np.argpartition(found, FAR - 1)[:FAR]
        distances[i] = np.sort(found[nearest])
        places[i] = nearest[found[nearest].argmin()]
    last, middle = distances[:, -1], distances[:, FAR // 2]
    usable = middle > 0
    growth = float(np.log(last[usable] / middle[usable]).mean()) if usable.any() else 0.0
    dimension = np.log(FAR / (FAR // 2 + 1)) / max(growth, 1e-3)
    ratio = np.divide(distances[:, 0], last, out=np.ones(len(rows)), where=last > 0)
    return train[places], ratio, float(dimension)


def _alike(dataset: Dataset, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Mask [n] of the pairs of rows with the same categories and alike targets."""
    same = (dataset.codes[rows] == dataset.codes[others]).all(1)
    for target in dataset.targets.values():
        both = target.observed[rows] & target.observed[others]
        spread = 0.0 if target.classes else ALIKE * float(target.values[target.observed].std())
        same &= ~both | (np.abs(target.values[rows] - target.values[others]) <= spread)
    mask: np.ndarray = same
    return mask
