"""Targets that are computed from two inputs, or are a weighted sum of a few.

Such a formula has almost no error on rows that it was not fitted to.
"""

from collections.abc import Sequence

import numpy as np

from mtlrun.data.leaks.column_scores import correlations, r2, ranks
from mtlrun.data.leaks.sample import Sample
from mtlrun.data.leaks.telling_inputs import Told
from mtlrun.util.errors import listing

SURE = 0.9995  # R²
SURE_AUROC = 0.999
MOST_COLUMNS = 60  # of the columns of numbers that correlate most with the target, all pairs are tried
MOST_ROWS = 1200
LEAST_ROWS = 60
FEW = 5  # a sum of more columns is no sign of a leak


def telling_pairs(sample: Sample, told: set[str]) -> Told:
    """The inputs that predict the target together, keyed by the first of them. `told`: those that predict it alone."""
    if len(sample) < LEAST_ROWS or len(sample.classes) > 2:
        return {}
    columns = [c for c in sample.columns if not c.category and c.name not in told and _more_than_two(c.values)]
    if len(columns) < 2:
        return {}
    names, labels = np.array([c.name for c in columns]), sample.labels.astype(np.float64)
    if not sample.classes and (summed := _sum([c.values for c in columns], labels)) is not None:
        parts = names[summed].tolist()
        return {parts[0]: f"{sample.task} is a weighted sum of {listing(parts)}"}
    strength = np.abs(correlations([c.values for c in columns], labels))
    best = np.sort(np.argsort(-strength, kind="stable")[:MOST_COLUMNS])
    values, names = np.stack([columns[i].values[:MOST_ROWS] for i in best], 1), names[best]
    found: Told = {}
    for i in range(len(names) - 1):
        reached, figure = _with_each(values[:, i], values[:, i + 1 :], labels[:MOST_ROWS], bool(sample.classes))
        for j in np.flatnonzero(reached)[: None if len(found) < 3 else 0]:
            words = f"with {names[i + 1 + j]} it tells {sample.task} {figure}"
            found.setdefault(str(names[i]), words)
    return found


def _more_than_two(values: np.ndarray) -> bool:
    """Whether a column [n] has more than two different numbers."""
    return bool(((values > np.fmin.reduce(values)) & (values < np.fmax.reduce(values))).any())


def _sum(columns: Sequence[np.ndarray], labels: np.ndarray) -> np.ndarray | None:
    """The indices of the columns [n] of which the labels are a weighted sum, if there are two to `FEW`; else None."""
    if len(labels) < 4 * len(columns):
        return None
    values = np.stack(columns, 1)
    whole = ~np.isnan(values).any(1)
    if whole.sum() < max(LEAST_ROWS, 4 * values.shape[1]):
        return None
    x, y = values[whole], labels[whole]
    x = np.append((x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1), np.ones((len(x), 1)), 1)
    half = len(x) // 2
    weights = np.linalg.lstsq(x[:half], y[:half], rcond=1e-9)[0]
    if r2(x[half:] @ weights - y[half:], y[half:]) < SURE:
        return None
    size = np.abs(weights[:-1])
    used = np.flatnonzero(size > 0.01 * size.max())
    return used if 2 <= len(used) <= FEW else None


def _with_each(a: np.ndarray, b: np.ndarray, labels: np.ndarray, classes: bool) -> tuple[np.ndarray, str]:
    """Mask [D] of the columns `b` [n, D] that predict the labels [n] together with `a` [n], and the figure as words.

    Least squares on 1, a, b, ab, a/b and b/a; for numbers above 0 also on the logarithms of a, b and the labels, which
    finds products of powers. Classes are predicted by a + b, a − b, |a − b|, ab or a/b without fitted weights, because
    honest inputs often separate classes along some fitted line.
    """
    a = np.broadcast_to(a[:, None], b.shape)
    y = np.broadcast_to(labels[:, None], b.shape)
    there = ~(np.isnan(a) | np.isnan(b))
    with np.errstate(all="ignore"):
        product, ratio, inverse = (np.nan_to_num(t, nan=0, posinf=0, neginf=0) for t in (a * b, a / b, b / a))
    if classes:
        found = np.max([_auroc(t, y, there) for t in (a + b, a - b, np.abs(a - b), product, ratio)], 0)
        return found >= SURE_AUROC, f"with an AUROC above {SURE_AUROC}"
    terms = [np.ones_like(b), *(np.nan_to_num(t) for t in (a, b)), product, ratio, inverse]
    found = _r2(_fit(terms, y, there), y, there) >= SURE
    positive = there & (a > 0) & (b > 0) & (y > 0)
    if positive.sum() > 0:
        with np.errstate(all="ignore"):
            logs = [np.ones_like(b), *(np.log(np.where(positive, t, 1)) for t in (a, b))]
            log_y = np.log(np.where(positive, y, 1))
        most = positive.sum(0) >= 0.9 * there.sum(0)
        found |= most & (_r2(_fit(logs, log_y, positive), log_y, positive) >= SURE)
    return found, f"with an R² above {SURE} on rows not fitted to"


def _fit(terms: list[np.ndarray], y: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The predictions [n, D] of least squares, fitted for each pair to the first half of the rows."""
    half = len(y) // 2
    x = np.stack(terms, 2).transpose(1, 0, 2) * there.T[:, :, None]  # [D, n, k]
    fitted = x[:, :half]
    size = np.sqrt((fitted**2).mean(1, keepdims=True))
    x = x / np.where(size > 0, size, 1)
    fitted, target = x[:, :half], (y * there).T[:, :half, None]
    weights = np.linalg.pinv(fitted.transpose(0, 2, 1) @ fitted, rcond=1e-12, hermitian=True) @ (
        fitted.transpose(0, 2, 1) @ target
    )
    guesses: np.ndarray = (x @ weights)[:, :, 0].T
    return guesses


def _r2(guesses: np.ndarray, y: np.ndarray, there: np.ndarray) -> np.ndarray:
    """R² [D] in the second half of the rows; 0 with too few rows."""
    half = len(y) // 2
    guesses, y, there = guesses[half:], y[half:], there[half:]
    count = np.maximum(there.sum(0), 1)
    mean = (y * there).sum(0) / count
    spread = (((y - mean) ** 2) * there).sum(0)
    errors = (((y - guesses) ** 2) * there).sum(0)
    usable = (count >= LEAST_ROWS // 2) & (spread > 0)
    found: np.ndarray = np.where(usable, 1 - errors / np.where(usable, spread, 1), 0)
    return found


def _auroc(guesses: np.ndarray, y: np.ndarray, there: np.ndarray) -> np.ndarray:
    """AUROC [D] of guesses or of their negatives; 0 with too few rows."""
    found = np.zeros(guesses.shape[1])
    for j in range(len(found)):
        rows = there[:, j]
        labels = y[rows, j]
        positive = int(labels.sum())
        if min(positive, len(labels) - positive) >= LEAST_ROWS // 2:
            won = ranks(guesses[rows, j])[labels > 0].sum() - positive * (positive + 1) / 2
            auroc = won / (positive * (len(labels) - positive))
            found[j] = max(auroc, 1 - auroc)
    return found
