"""Ranks of methods: 1 is best, and ties share the mean of their ranks."""

import numpy as np
from numpy.typing import ArrayLike

from mtlrun.statistics.arrays import Floats, finite


def ranks(values: ArrayLike, higher: ArrayLike) -> Floats:
    """Ranks along axis 0, from 1; ties are averaged. values: `[M, ...]`; higher broadcasts against `[...]`.

    A rank is 1 + number of better methods + ½·number of other equal methods.

    ValueError: a value that is not finite. A method without a figure has no rank.
    """
    values = finite(values)
    values = np.where(np.asarray(higher, np.bool_), -values, values)
    others = values[None]  # [1, M, ...]
    better, equal = (others < values[:, None]).sum(1), (others == values[:, None]).sum(1)
    return np.asarray(1 + better + (equal - 1) / 2)


def mean_rank(values: ArrayLike, higher: ArrayLike) -> Floats:
    """Rank of each method `[M]`, averaged over the metrics. values: `[M, K]`, higher: `[K]`.

    The mean of the result over the methods is (M + 1)/2; this is asserted. ValueError: a value that is not finite.
    """
    values = finite(values, 2)
    means = ranks(values, higher).mean(1)
    assert np.isclose(means.mean(), (len(values) + 1) / 2), "mean ranks average (M + 1)/2"
    return np.asarray(means)
