"""Student's t interval of a mean over seeds, and the standard error that the t tests share with it."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from mtlrun.statistics.arrays import Floats, finite


def standard_error(values: Floats, test_over_train: float | None) -> float:
    """s/√n, or with `test_over_train` s·√(1/n + n_test/n_train); see `t_interval`. values: `[n]`, n ≥ 2."""
    if test_over_train is not None and not test_over_train >= 0:
        raise ValueError(f"test_over_train {test_over_train}: a ratio of row counts is not negative")
    same = values.max() == values.min()  # rounding may make the mean of equal numbers differ from them
    deviation = 0.0 if same else float(np.std(values, ddof=1))
    return deviation * math.sqrt(1 / len(values) + (test_over_train or 0.0))


def mean_of(values: Floats) -> float:
    """The mean. If all values are equal, it is exactly that value."""
    return float(values[0]) if values.max() == values.min() else float(values.mean())


def t_interval(
    values: ArrayLike, level: float = 0.95, test_over_train: float | None = None
) -> tuple[float, float | None, float | None]:
    """(mean, low, high): mean ± t(n−1)·s/√n. values: `[n]`, one per seed. low and high are None for n = 1.

    If every seed splits the same table anew, runs share rows and are not independent. With `test_over_train` =
    n_test/n_train, the ratio of row counts, the variance is s²·(1/n + n_test/n_train) (Nadeau & Bengio, Machine
    Learning 2003). It is conservative for most learners.

    ValueError: no values, or one that is not finite.
    """
    values = finite(values, 1)
    mean = mean_of(values)
    if len(values) == 1:
        return mean, None, None
    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * standard_error(values, test_over_train)
    return mean, mean - half, mean + half
