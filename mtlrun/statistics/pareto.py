"""The Pareto front: the rows that no other row matches in every metric and beats in at least one."""

import numpy as np
from numpy.typing import ArrayLike

from mtlrun.statistics.arrays import Bools, finite


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
