"""Orders of methods by several metrics: ranks (1 is best, and ties share the mean of their ranks) and the Pareto front.

The front holds the methods that no other method matches in every metric and beats in at least one.
"""

import numpy as np
from numpy.typing import ArrayLike

from mtlrun.statistics.arrays import Bools, Floats, finite


def ranks(values: ArrayLike, higher: ArrayLike) -> Floats:
    """Ranks along axis 0, from 1; ties are averaged. values: `[M, ...]`; higher broadcasts against `[...]`.

    ValueError: a value that is not finite. A method without a figure has no rank.
    """
    from scipy.stats import rankdata

    values = finite(values)
    return np.asarray(rankdata(np.where(np.asarray(higher, np.bool_), -values, values), axis=0))


def mean_rank(values: ArrayLike, higher: ArrayLike) -> Floats:
    """Rank of each method `[M]`, averaged over the metrics. values: `[M, K]`, higher: `[K]`.

    The mean of the result over the methods is (M + 1)/2; this is asserted. ValueError: a value that is not finite.
    """
    values = finite(values, 2)
    means = ranks(values, higher).mean(1)
    assert np.isclose(means.mean(), (len(values) + 1) / 2), "mean ranks average (M + 1)/2"
    return np.asarray(means)


def dominated_by(values: ArrayLike, others: ArrayLike, higher: ArrayLike) -> Bools:
    """For each row of `values` `[M, K]`, whether a row of `others` `[N, K]` is nowhere worse and somewhere better.

    higher: `[K]`, true if higher is better. Result: `[M]`. ValueError: a value that is not finite.
    """
    higher = np.asarray(higher, np.bool_)
    values, others = (np.where(higher, -finite(v, 2), v) for v in (values, others))
    pairs = others[None], values[:, None]  # [M, N, K] together
    return np.asarray(((pairs[0] <= pairs[1]).all(-1) & (pairs[0] < pairs[1]).any(-1)).any(-1))


def front(values: ArrayLike, higher: ArrayLike) -> Bools:
    """Mask `[M]` of the rows of `values` `[M, K]` that no row dominates. Equal rows do not dominate each other."""
    return np.asarray(~dominated_by(values, values, higher))
