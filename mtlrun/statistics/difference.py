"""Tests of paired differences. There is one difference per seed; it is negative if the first method is better."""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

from mtlrun.statistics.arrays import finite
from mtlrun.statistics.interval import mean_of, standard_error

EXACT_UP_TO = 16  # 2¹⁵ sums: milliseconds
ROUNDING = 1e-9  # percent, or a share of a sum: bound of the rounding error of adding in another order


def paired_t(differences: ArrayLike, test_over_train: float | None = None) -> float:
    """Two-sided p of Student's paired t test, t = d̄/SE with n − 1 degrees of freedom. differences: `[n]`.

    `test_over_train`: n_test/n_train if the split varies with the seed; SE as in `t_interval`. One seed gives p = 1:
    nothing speaks against luck. Without variance p is its limit: 0, or 1 if all differences are 0. The caller must
    ask whether seeds that all give the same difference are independent at all.

    ValueError: no values, or one that is not finite.
    """
    differences = finite(differences, 1)
    mean, n = mean_of(differences), len(differences)
    if n == 1:
        return 1.0
    error = standard_error(differences, test_over_train)
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return min(1.0, 2 * float(stdtr(n - 1, -abs(mean) / error)))


def sign_flip(differences: ArrayLike, draws: int = 100_000, seed: int = 0) -> float:
    """Two-sided p of the sign-flip permutation test: the share of the 2ⁿ signings whose |Σ ±d| is at least |Σ d|.

    differences: `[n]`. Exact up to n = 16; the smallest p is then 2/2ⁿ. For larger n, p is (1 + count)/(1 + draws)
    over `draws` random signings (Phipson & Smyth 2010). Valid for every distribution of chance differences that is
    symmetric around 0 (Fisher 1935; Pitman 1937). Sums that differ only by rounding count as equal.

    ValueError: no values, or one that is not finite.
    """
    differences = finite(differences, 1)
    n = len(differences)
    least = abs(differences.sum()) - ROUNDING * np.abs(differences).sum()
    if n <= EXACT_UP_TO:
        sums = differences[:1]  # the first keeps its sign: flipping all signs gives the same |sum|
        for difference in differences[1:]:
            sums = np.concatenate([sums + difference, sums - difference])
        return float((np.abs(sums) >= least).mean())
    signs = np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), size=(draws, n))
    return (1 + int((np.abs(signs @ differences) >= least).sum())) / (1 + draws)


def wins(differences: ArrayLike, level: float = 0.95, tie: float = ROUNDING) -> tuple[float, float, float]:
    """(share, low, high): the share of seeds with a negative difference; a tie counts ½. differences: `[n]`.

    The interval is Clopper & Pearson's (Biometrika 1934) for P(A < B) + ½·P(A = B). A tie is |d| ≤ `tie`. The low end
    counts ties as lost, the high end as won. As P(A < B) ≤ P(A < B) + ½·P(A = B) ≤ P(A ≤ B), the interval covers
    whichever way ties are counted.

    ValueError: no values, or one that is not finite.
    """
    from scipy.stats import binomtest

    differences = finite(differences, 1)
    n = len(differences)
    won, lost = int((differences < -tie).sum()), int((differences > tie).sum())
    low, high = (binomtest(count, n).proportion_ci(level) for count in (won, n - lost))
    return (won + (n - won - lost) / 2) / n, float(low.low), float(high.high)


def tost(
    differences: ArrayLike, margin: float, level: float = 0.05, test_over_train: float | None = None
) -> tuple[float, bool]:
    """(p, equivalent): two one-sided t tests, of d̄ > −margin and d̄ < margin (Schuirmann 1987). differences: `[n]`.

    p is the greater p of the two tests. Equivalent means p ≤ level: the 1 − 2·level interval lies within ±margin.
    One seed: p = 1. No variance: p = 0 if |d̄| < margin, else 1. `test_over_train` as in `t_interval`.

    ValueError: no values, one that is not finite, or a margin that is not positive.
    """
    differences = finite(differences, 1)
    if not 0 < margin < math.inf:
        raise ValueError(f"margin {margin}: a positive number is due")
    n = len(differences)
    if n == 1:
        return 1.0, False
    room = margin - abs(mean_of(differences))
    error = standard_error(differences, test_over_train)
    p = (0.0 if room > 0 else 1.0) if error == 0 else float(stdtr(n - 1, -room / error))
    return p, p <= level


def verdict(
    mean: float, p_holm: float, equivalent: bool, level: float = 0.05
) -> Literal["better", "worse", "equivalent", "undecided"]:
    """The word for a difference: better (mean < 0) or worse if p_holm ≤ level, else equivalent, else undecided.

    A difference can be significant and within the margin. The word then gives its direction; the mean gives its size.
    """
    if p_holm <= level and mean != 0:
        return "better" if mean < 0 else "worse"
    return "equivalent" if equivalent else "undecided"
