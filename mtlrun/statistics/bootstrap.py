"""A percentile bootstrap (Efron & Tibshirani 1993) for a case that the t interval of paired seeds does not cover."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from mtlrun.statistics.arrays import Floats, finite


def bootstrap_runs(
    a: ArrayLike,
    b: ArrayLike,
    statistic: Callable[[Floats, Floats], float],
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Interval (low, high) of `statistic(a, b)` for unpaired runs. Draws whole runs of both arms with replacement.

    a: `[n, K]`, b: `[m, K]`, the figures of K tasks. Tasks are never drawn: all tasks of a run come from one network,
    so they are not independent, and drawing them would make the interval far too short.

    ValueError: no runs, or a value that is not finite.
    """
    a, b = finite(a, 2), finite(b, 2)
    generator = np.random.default_rng(seed)
    drawn = np.empty(draws)
    for draw in range(draws):
        rows_a, rows_b = generator.integers(len(a), size=len(a)), generator.integers(len(b), size=len(b))
        drawn[draw] = statistic(a[rows_a], b[rows_b])
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
