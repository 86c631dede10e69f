"""Percentile bootstraps (Efron & Tibshirani 1993) for cases that the t interval of paired seeds does not cover."""

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
    return _percentiles(drawn, level)


def row_bootstrap(
    errors_a: ArrayLike, errors_b: ArrayLike, draws: int = 2000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Interval (low, high) of the mean difference of row losses, A minus B, over other test rows and other seeds.

    errors: `[n, N]`, seed by test row of one fixed split, with the same seeds and rows in A and B. Seeds and rows are
    drawn independently, with replacement (Owen, Annals of Applied Statistics 2007). Asymptotically, that is for many
    rows, the interval is never too short. With few seeds every percentile bootstrap is too short.

    ValueError: unequal shapes, no rows, or a value that is not finite.
    """
    a, b = finite(errors_a, 2), finite(errors_b, 2)
    if a.shape != b.shape:
        raise ValueError(f"losses of shapes {a.shape} and {b.shape} are not paired")
    seeds, rows = a.shape
    difference = a - b
    generator = np.random.default_rng(seed)
    drawn = np.empty(draws)
    for draw in range(draws):
        by_row = generator.multinomial(seeds, np.full(seeds, 1 / seeds)) @ difference  # [N]
        which = generator.integers(rows, size=rows)
        drawn[draw] = by_row[which].mean() / seeds
    return _percentiles(drawn, level)


def _percentiles(drawn: Floats, level: float) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
