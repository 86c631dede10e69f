"""Relative drop against a baseline, and its mean Δm (Maninis, Radosavovic & Kokkinos, CVPR 2019)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from mtlrun.statistics.arrays import Bools, Floats

NEAR_ZERO = 1e-3  # of the scale: a base this small would make noise in the third decimal a drop of 100 %


def relative_drop(value: ArrayLike, base: ArrayLike, higher: ArrayLike, scale: ArrayLike | None = None) -> Floats:
    """100·(−1)^δ·(M − B)/|B| in percent, δ = 1 where higher is better: positive is worse. The arrays broadcast.

    NaN where a figure is NaN, and where |B| ≤ NEAR_ZERO·scale: relative to next to nothing, every difference is huge.
    `scale` is the size that the metric's figures have. By default it is 1 where higher is better (R², accuracy and
    areas under curves are shares of 1), and 0 for errors, so that only a base of 0 is left out: an error's size
    depends on its unit, and an error thousands of times the base's is a run that failed, which must not be hidden.
    """
    value, base, higher = np.asarray(value, np.float64), np.asarray(base, np.float64), np.asarray(higher, np.bool_)
    scale = np.where(higher, 1.0, 0.0) if scale is None else np.asarray(scale, np.float64)
    size = np.abs(base)
    usable = size > np.maximum(NEAR_ZERO * scale, np.finfo(np.float64).tiny)
    drop = 100 * np.where(higher, -1.0, 1.0) * (value - base) / np.where(usable, size, 1.0)
    return np.asarray(np.where(usable, drop, np.nan))


def delta_m_per_metric(drops: Sequence[ArrayLike]) -> Floats:
    """Mean of d_kj over all metrics of all tasks. drops: `[..., J_k]` of each task k; result `[...]`.

    A task of many metrics weighs more. NaN are left out; NaN where nothing is left.
    """
    arrays = [np.asarray(d, np.float64) for d in drops]
    if not arrays:
        raise ValueError("no tasks")
    leading = np.broadcast_shapes(*(a.shape[:-1] for a in arrays))
    return _mean(np.concatenate([np.broadcast_to(a, (*leading, a.shape[-1])) for a in arrays], -1))


def delta_m_per_task(drops: Sequence[ArrayLike]) -> Floats:
    """(1/K) Σ_k (1/J_k) Σ_j d_kj: every task weighs the same. drops: `[..., J_k]` of each task k; result `[...]`.

    NaN are left out, and so is a task of which nothing is left; NaN where no task is left.
    """
    means = [_mean(np.asarray(d, np.float64)) for d in drops]
    if not means:
        raise ValueError("no tasks")
    return _mean(np.stack(np.broadcast_arrays(*means), -1))


def _mean(values: Floats) -> Floats:
    """Mean over the last axis without NaN."""
    there: Bools = ~np.isnan(values)
    count = there.sum(-1)
    total = np.where(there, values, 0.0).sum(-1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))
