"""Several methods against one reference: Holm's adjusted p, and the fewest seeds that can be significant.

Holm's adjustment is written by hand because scipy has none (`scipy.stats.false_discovery_control` bounds another rate),
and three lines are no reason to depend on statsmodels.
"""

import numpy as np
from numpy.typing import ArrayLike

from mtlrun.statistics.arrays import Floats, finite


def holm(p: ArrayLike) -> Floats:
    """Holm's (1979) adjusted p `[m]`: for the i-th smallest p, max over j ≤ i of min(1, (m − j + 1)·p_(j)).

    If tests with adjusted p ≤ α are rejected, the probability of any false rejection in the family is at most α. The
    tests may depend on each other in any way.

    ValueError: a p outside 0 … 1.
    """
    p = np.asarray(p, np.float64)
    if not p.size:
        return p
    if ((p := finite(p, 1)) < 0).any() or (p > 1).any():
        raise ValueError("a p outside 0 to 1")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, p[order] * np.arange(len(p), 0, -1)))
    return adjusted


def seeds_needed(methods: int, level: float = 0.05) -> int:
    """The fewest seeds n with which a difference can be significant: the smallest n with methods·2/2ⁿ ≤ level.

    2/2ⁿ is the smallest two-sided p of the sign-flip test. Holm multiplies it by the number of methods.

    ValueError: no method, or a level outside 0 … 1.
    """
    if methods < 1 or not 0 < level < 1:
        raise ValueError(f"{methods} methods at level {level}")
    n = 1
    while 2 * methods > level * 2**n:
        n += 1
    return n
