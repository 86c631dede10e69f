"""Ranks of methods: 1 is best, ties share the mean of their places."""

import numpy as np
from numpy.typing import ArrayLike

from mtlrun.statistics.arrays import Floats, finite


def ranks(values: ArrayLike, higher: ArrayLike) -> Floats:
    """Ranks along axis 0, 1-based, ties averaged. values: `[M, ...]`; higher broadcasts against `[...]`.

    1 + number of better methods + ½·number of other equal ones.

    ValueError: a value that is not finite: a method without a figure has no place.
    """
    values = finite(values)
    values = np.where(np.asarray(higher, np.bool_), -values, values)
    others = values[None]  # [1, M, ...]
    better, equal = (others < values[:, None]).sum(1), (others == values[:, None]).sum(1)
    return np.asarray(1 + better + (equal - 1) / 2)


def mean_rank(values: ArrayLike, higher: ArrayLike) -> Floats:
    """Mean over the metrics of each method's rank: `[M]`. values: `[M, K]`, higher: `[K]`.

    It averages (M + 1)/2 over the methods, which is asserted. ValueError: a value that is not finite.
    """
    values = finite(values, 2)
    means = ranks(values, higher).mean(1)
    assert np.isclose(means.mean(), (len(values) + 1) / 2), "mean ranks average (M + 1)/2"
    return np.asarray(means)
