"""How well one column tells a target, from other rows. No model is fitted.

Scores are 1 for a perfect guess and about 0 for a useless one:

- R² for numbers, of the values and of their ranks;
- (balanced accuracy − 1/K) / (1 − 1/K) for K classes, so that rare classes count as much as frequent ones.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

MIN_ROWS = 20  # fewer rows prove nothing
MIN_CLASS = 5  # a class with fewer rows is left out of the balanced accuracy
FLOOR = 0.8  # R² of values and of ranks must both reach this, or the lower one counts: outliers can make either large
WINDOW = 3  # neighbours on each side whose majority guesses a class
CACHED = 1 << 15  # numbers that stay in the cache together
REPEATED = 0.5  # share of rows that must share their value with another row, or equal values tell nothing of the column


def score(
    values: np.ndarray, labels: np.ndarray, classes: bool, category: bool, place: np.ndarray | None = None
) -> float:
    """The score of a column for a target.

    values: numbers [n], or codes [n] if the column is a `category`, none missing. labels: numbers [n], or indices of
    `classes` [n]. The rows are in random order. Equal numbers are also read as a category. place: the ranks of the
    labels, if known.
    """
    if len(values) < MIN_ROWS:
        return 0.0
    if classes:
        return max(skill(*pair) for pair in _guesses(values, labels, category))
    place = ranks(labels) if place is None else place
    return _same_number(values, labels, place) if category else float(number_scores([values], labels, place)[0])


def number_scores(columns: Sequence[np.ndarray], labels: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The scores [D] of columns of numbers for a target of numbers, as `score` gives them one by one.

    columns: each [n], at least `MIN_ROWS`, none missing. place: the ranks of the labels [n].
    """
    found = []
    for values in _blocks(columns):
        order = np.argsort(values, axis=-1, kind="stable")
        x = np.take_along_axis(values, order, -1)
        scores = _near_number(x, labels[order], place[order])
        for i in np.flatnonzero((np.diff(x) == 0).sum(-1) >= x.shape[1] / 8):
            scores[i] = max(scores[i], _same_number(values[i], labels, place))
        found.append(scores)
    return np.concatenate(found)


def _blocks(columns: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Yields columns [n] as arrays [d, n] that stay in the cache."""
    size = max(1, CACHED // len(columns[0]))
    for start in range(0, len(columns), size):
        yield np.array(columns[start : start + size])


def class_scores(values: np.ndarray, labels: np.ndarray, weights: np.ndarray, category: bool) -> np.ndarray:
    """The skill [classes] of separating each class from the others, or the precision if that is lower; 0 if it is rare.

    A column that only narrows a rare class down finds nearly all of its rows with few false alarms, but its precision
    is low. weights: rows of the table [classes] for each row of the sample. Other arguments: as for `score`.
    """
    found = np.zeros(len(weights))
    for guess, known in _guesses(values, labels, category) if len(values) >= MIN_ROWS else ():
        weight = weights[known]
        for k in np.unique(known):
            said = guess == k
            if said.any():
                precision = float(weight[said & (known == k)].sum() / weight[said].sum())
                both = min(skill(said.astype(np.int64), (known == k).astype(np.int64)), precision)
                found[k] = max(found[k], both)
    return found


def _guesses(values: np.ndarray, labels: np.ndarray, category: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of predicted and true classes [m]: from equal values and, unless it is a category, from neighbours.

    In a column of numbers, a row whose value occurs once is predicted from its neighbours, because a few rows that
    repeat others do not represent the column.
    """
    if category:
        return [_same_class(values, labels)]
    order = np.argsort(values, kind="stable")
    near, y = _near_class(labels[order]), labels[order]
    rows, codes = repeated(values[order])
    if len(rows) < max(MIN_ROWS, len(values) / 4) or codes.max() < 1:
        return [(near, y)]
    same = near.copy()
    same[rows] = _votes(codes, y[rows])
    return [(near, y), (same, y)]


def skill(guess: np.ndarray, labels: np.ndarray) -> float:
    """The balanced accuracy of predicted classes [n], rescaled: random guesses score 0, and so does a single class."""
    counts = np.bincount(labels)
    known = np.flatnonzero(counts >= MIN_CLASS)
    if len(known) < 2:
        return 0.0
    right = np.bincount(labels[guess == labels], minlength=len(counts))
    chance = 1 / len(known)
    return float(((right[known] / counts[known]).mean() - chance) / (1 - chance))


def r2(errors: np.ndarray, labels: np.ndarray) -> float:
    """1 − mean squared error / variance of the labels; 0 if the labels are constant."""
    return float(_r2(errors, labels))


def _r2(errors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """`r2` over the last axis."""
    variance = labels.var(-1)
    found: np.ndarray = 1 - (errors**2).mean(-1) / np.where(variance > 0, variance, np.inf)
    return np.where(variance > 0, found, 0.0)


def ranks(labels: np.ndarray) -> np.ndarray:
    """Ranks [n], equal numbers with their mean rank."""
    found: np.ndarray = pd.Series(labels).rank().to_numpy()
    return found


def agreed(of_values: np.ndarray, of_ranks: np.ndarray) -> np.ndarray:
    """The larger of two R² if both reach `FLOOR`, else the smaller one."""
    least = np.minimum(of_values, of_ranks)
    return np.where(least >= FLOOR, np.maximum(of_values, of_ranks), least)


# ---------------------------------------------------------------- neighbours in the order of a column of numbers


def _near_number(x: np.ndarray, labels: np.ndarray, place: np.ndarray) -> np.ndarray:
    """R² [D] of the straight line between the two neighbours of a row, of the labels or of their ranks `place`.

    The rows of all arrays [D, n] are in the order of the column `x`.

    The errors are divided by 1 + a² + b², where a and b are the shares of the neighbours: the error is then that of a
    smooth curve, not of two noisy neighbours (Gasser, Sroka & Jennen-Steinmetz, Biometrika 1986).
    """
    before, here, after = x[:, :-2], x[:, 1:-1], x[:, 2:]
    span = after - before
    right = np.divide(here - before, span, out=np.full(span.shape, 0.5), where=span > 0)
    norm = np.sqrt(1 + right**2 + (1 - right) ** 2)
    of_values, of_ranks = (
        _r2((v[:, 1:-1] - right * v[:, 2:] - (1 - right) * v[:, :-2]) / norm, v) for v in (labels, place)
    )
    return agreed(of_values, of_ranks)


def correlations(columns: Sequence[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """The correlation [D] of each of the columns [n] with the labels [n]; missing cells count as the mean."""
    centred_labels = labels - labels.mean()
    found = []
    for values in _blocks(columns):
        present = ~np.isnan(values)
        filled = np.where(present, values, 0.0)
        mean = filled.sum(1) / np.maximum(present.sum(1), 1)
        centred = np.where(present, filled - mean[:, None], 0.0)
        norm = np.sqrt((centred**2).sum(1) * (centred_labels**2).sum())
        found.append(np.divide(centred @ centred_labels, norm, out=np.zeros(len(norm)), where=norm > 0))
    return np.concatenate(found)


def _near_class(y: np.ndarray) -> np.ndarray:
    """The majority [n] of the `WINDOW` neighbours on each side of a row; labels `y` in the order of the column."""
    n = len(y)
    votes = np.zeros((n, int(y.max()) + 1))
    for step in range(1, WINDOW + 1):
        votes[np.arange(n - step), y[step:]] += 1
        votes[np.arange(step, n), y[:-step]] += 1
    guess: np.ndarray = votes.argmax(1)
    return guess


# ---------------------------------------------------------------- other rows with the same value


def repeated(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows whose value occurs at least twice, and a code (from 0) for the value of each."""
    codes = pd.factorize(values)[0]
    rows = np.flatnonzero(np.bincount(codes)[codes] >= 2)
    return rows, pd.factorize(codes[rows])[0]


def _same_number(values: np.ndarray, labels: np.ndarray, place: np.ndarray) -> float:
    """R² of the mean of a value, with the variance within values free of bias."""
    rows, codes = repeated(values)
    if len(rows) < max(MIN_ROWS, len(values) * REPEATED) or codes.max() < 1:
        return 0.0
    sizes = np.bincount(codes)
    found = []
    for y in (labels[rows], place[rows]):
        errors = y - (np.bincount(codes, y) / sizes)[codes]
        found.append(_r2(errors * np.sqrt(sizes / (sizes - 1))[codes], y))
    return float(agreed(*found))


def _same_class(values: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The majority of the other rows with the same value."""
    rows, codes = repeated(values)
    if len(rows) < max(MIN_ROWS, len(values) * REPEATED) or codes.max() < 1:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    return _votes(codes, labels[rows]), labels[rows]


def _votes(codes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The majority [n] of the labels `y` [n] in the other rows with the same code [n]."""
    classes = int(y.max()) + 1
    votes = np.bincount(codes * classes + y, minlength=classes * (int(codes.max()) + 1)).reshape(-1, classes)[codes]
    votes[np.arange(len(y)), y] -= 1  # the row itself has no vote
    guess: np.ndarray = votes.argmax(1)
    return guess


# ---------------------------------------------------------------- the other way round


def is_cut(values: np.ndarray, labels: np.ndarray) -> bool:
    """Whether a column of few values [n] cuts the range of a numeric target [n] into pieces without an overlap.

    Pieces with a gap between them do not count: a strong input makes such gaps, and cutting does not.
    """
    order = np.argsort(labels, kind="stable")
    y, codes = labels[order], pd.factorize(values[order])[0]
    counts = np.bincount(codes)
    edges = np.flatnonzero(np.diff(codes)) + 1
    if len(edges) != len(counts) - 1 or len(y) < 5 * len(counts):
        return False
    # at the ends of the range a piece may hold a row or two
    large = [e for e in edges if min(counts[codes[e - 1]], counts[codes[e]]) >= MIN_CLASS]
    steps = np.diff(y)
    return bool(large) and all(0 < steps[e - 1] <= 10 * steps[max(e - 11, 0) : e + 10].mean() for e in large)
