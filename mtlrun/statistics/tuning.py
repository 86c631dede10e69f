"""Figures for choosing among trials: skill on a common scale, and the best to expect of n trials."""

import numpy as np
from numpy.typing import ArrayLike

from mtlrun.statistics.arrays import Floats, finite


def skill(loss: ArrayLike, trivial_loss: ArrayLike) -> Floats:
    """1 − L/L₀, L₀ the loss of the predictor that knows no inputs: 1 is perfect, 0 no better than it. Broadcasts.

    NaN where L₀ is not positive: nothing is left to be skilful about.
    """
    loss, trivial = np.asarray(loss, np.float64), np.asarray(trivial_loss, np.float64)
    usable = trivial > 0
    return np.asarray(np.where(usable, 1 - loss / np.where(usable, trivial, 1.0), np.nan))


def expected_best(values: ArrayLike) -> Floats:
    """Expected maximum of 1, 2, … N trials drawn from these, with replacement: Σ_v v·[F(v)ⁿ − F(v⁻)ⁿ], F their
    empirical distribution (Dodge et al., EMNLP 2019). values: `[N]`, higher better; result: `[N]`, entry n − 1 for n.

    ValueError: no values, or one that is not finite.
    """
    values = np.sort(finite(values, 1))
    size = len(values)
    power = (np.arange(size + 1) / size) ** np.arange(1, size + 1)[:, None]  # [n, N + 1]
    return np.asarray(np.diff(power, axis=1) @ values)
