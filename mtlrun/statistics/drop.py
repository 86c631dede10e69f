"""Relative drop against a baseline, and its mean Δm (Maninis, Radosavovic & Kokkinos, CVPR 2019)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from mtlrun.statistics.arrays import Bools, Floats

NEAR_ZERO = 1e-3  # share of the scale: relative to so small a base, noise in the third decimal is a drop of 100 %


def relative_drop(value: ArrayLike, base: ArrayLike, higher: ArrayLike, scale: ArrayLike | None = None) -> Floats:
    """100·(−1)^δ·(M − B)/|B| in percent, δ = 1 if higher is better. Positive is worse. The arrays broadcast.

    NaN if a figure is NaN, or if |B| ≤ NEAR_ZERO·scale: relative to a base near 0 every difference is huge.
    `scale` is the typical size of the metric. The default is 1 if higher is better: R², accuracy and areas under
    curves are shares of 1. The default is 0 for errors, because their size depends on their unit; only a base of 0
    then gives NaN. An error thousands of times that of the base is a failed run, which must not be hidden.
    """
    value, base, higher = np.asarray(value, np.float64), np.asarray(base, np.float64), np.asarray(higher, np.bool_)
    scale = np.where(higher, 1.0, 0.0) if scale is None else np.asarray(scale, np.float64)
    size = np.abs(base)
    usable = size > np.maximum(NEAR_ZERO * scale, np.finfo(np.float64).tiny)
    drop = 100 * np.where(higher, -1.0, 1.0) * (value - base) / np.where(usable, size, 1.0)
    return np.asarray(np.where(usable, drop, np.nan))


def delta_m_per_metric(drops: Sequence[ArrayLike]) -> Floats:
    """Mean of d_kj over all metrics of all tasks. drops: `[..., J_k]` of each task k; result `[...]`.

    A task with more metrics weighs more. NaN are left out. The result is NaN if nothing is left.
    """
    arrays = [np.asarray(d, np.float64) for d in drops]
    if not arrays:
        raise ValueError("no tasks")
    leading = np.broadcast_shapes(*(a.shape[:-1] for a in arrays))
    return _mean(np.concatenate([np.broadcast_to(a, (*leading, a.shape[-1])) for a in arrays], -1))


def delta_m_per_task(drops: Sequence[ArrayLike]) -> Floats:
    """(1/K) Σ_k (1/J_k) Σ_j d_kj: every task weighs the same. drops: `[..., J_k]` of each task k; result `[...]`.

    NaN are left out, and so are tasks with only NaN. The result is NaN if no task is left.
    """
    means = [_mean(np.asarray(d, np.float64)) for d in drops]
    if not means:
        raise ValueError("no tasks")
    return _mean(np.stack(np.broadcast_arrays(*means), -1))


def _mean(values: Floats) -> Floats:
    """Mean over the last axis without NaN; NaN if all are NaN."""
    there: Bools = ~np.isnan(values)
    count = there.sum(-1)
    total = np.where(there, values, 0.0).sum(-1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))
