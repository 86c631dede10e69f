"""Factors of the schedule on all rates of a run."""

import numpy as np

from mtlrun.config.schema import LrConfig


def schedule_factors(config: LrConfig, steps: np.ndarray, total: int, per_epoch: int) -> np.ndarray:
    """Returns the factors on all rates at the given steps, counted from 0, out of `total`.

    They rise linearly to 1 in the first `warmup` steps. Then `constant` stays at 1; `cosine` falls from 1 to `final` at
    the last step: final + (1 − final)·½(1 + cos πp) (Loshchilov & Hutter 2017); `step` is multiplied by `decay` after
    every `decay_every` epochs.
    """
    warmup = np.minimum(1.0, (steps + 1) / (config.warmup + 1))
    if config.schedule == "cosine":
        p = np.clip((steps - config.warmup) / max(total - 1 - config.warmup, 1), 0, 1)
        course = config.final + (1 - config.final) * 0.5 * (1 + np.cos(np.pi * p))
    elif config.schedule == "step":
        course = config.decay ** (steps // (per_epoch * config.decay_every)).astype(float)
    else:
        course = np.ones(len(steps))
    return np.asarray(warmup * course)


def is_constant(config: LrConfig) -> bool:
    """Returns whether all factors are 1."""
    return config.schedule == "constant" and config.warmup == 0
