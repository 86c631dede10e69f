"""The Pareto front: what no other matches in every metric and beats in one."""

import numpy as np
from numpy.typing import ArrayLike

from mtlrun.statistics.arrays import Bools, finite


def dominated_by(values: ArrayLike, others: ArrayLike, higher: ArrayLike) -> Bools:
    """Whether some row of `others` `[N, K]` is nowhere worse and somewhere better than each row of `values` `[M, K]`.

    higher: `[K]`. ValueError: a value that is not finite.
    """
    higher = np.asarray(higher, np.bool_)
    values, others = (np.where(higher, -finite(v, 2), v) for v in (values, others))
    pairs = others[None], values[:, None]  # [M, N, K] together
    return np.asarray(((pairs[0] <= pairs[1]).all(-1) & (pairs[0] < pairs[1]).any(-1)).any(-1))


def front(values: ArrayLike, higher: ArrayLike) -> Bools:
    """Which rows of `values` `[M, K]` no other row dominates: `[M]`. Equal rows do not dominate each other."""
    return np.asarray(~dominated_by(values, values, higher))
