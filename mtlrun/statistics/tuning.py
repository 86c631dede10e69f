"""Figures for choosing among trials: skill on a common scale, and the expected best of n trials."""

import numpy as np
from numpy.typing import ArrayLike

from mtlrun.statistics.arrays import Floats, finite


def skill(loss: ArrayLike, trivial_loss: ArrayLike) -> Floats:
    """1 − L/L₀, with L₀ the loss of the predictor that knows no inputs. 1 is perfect, 0 is no better than L₀.

    The arrays broadcast. NaN if L₀ is not positive: there is nothing to improve on.
    """
    loss, trivial = np.asarray(loss, np.float64), np.asarray(trivial_loss, np.float64)
    usable = trivial > 0
    return np.asarray(np.where(usable, 1 - loss / np.where(usable, trivial, 1.0), np.nan))


def expected_best(values: ArrayLike) -> Floats:
    """Expected maximum of n trials, for n = 1 … N, drawn with replacement from `values` (Dodge et al., EMNLP 2019).

    Σ_v v·[F(v)ⁿ − F(v⁻)ⁿ], with F the empirical distribution of the values. values: `[N]`, higher is better. Result:
    `[N]`; entry n − 1 is for n trials.

    ValueError: no values, or one that is not finite.
    """
    values = np.sort(finite(values, 1))
    size = len(values)
    power = (np.arange(size + 1) / size) ** np.arange(1, size + 1)[:, None]  # [n, N + 1]
    return np.asarray(np.diff(power, axis=1) @ values)
