"""Temperature scaling (Guo et al. 2017, On Calibration of Modern Neural Networks, section 4.2)."""

import math

import numpy as np

from mtlrun.statistics.arrays import Floats

HIGHEST = 100.0  # temperatures lie between 1 / HIGHEST and HIGHEST


def fit_temperature(logits: Floats, labels: np.ndarray, weights: Floats) -> float:
    """The T that minimises the mean log loss of softmax(logits / T), for logits [N, K], classes and weights [N].

    Labels are smoothed as if one more row had every class alike (after Platt 1999): else T would go to 0 if all rows
    are right. If that makes the log loss itself worse than T = 1 does, T is 1; so it is without rows. T changes neither
    the order of rows nor the most probable class.
    """
    from scipy.optimize import brentq  # takes 0.2 s

    kept = weights > 0
    rows = int(kept.sum())
    if not rows:
        return 1.0
    z, weights = logits[kept] - logits[kept].max(1, keepdims=True), weights[kept] / weights[kept].sum()
    of_label = z[np.arange(rows), labels[kept].astype(int)]
    target = of_label + (z.mean(1) - of_label) / (rows + 1)

    def slope(log_inverse: float) -> float:
        """The derivative of the smoothed log loss by 1/T; it rises with 1/T."""
        odds = np.exp(math.exp(log_inverse) * z)
        return float(weights @ ((odds * z).sum(1) / odds.sum(1) - target))

    def log_loss(inverse: float) -> float:
        return float(weights @ (np.log(np.exp(inverse * z).sum(1)) - inverse * of_label))

    end = math.log(HIGHEST)
    if slope(-end) >= 0:
        best = -end
    else:
        best = end if slope(end) <= 0 else brentq(slope, -end, end, xtol=1e-9)
    inverse = math.exp(best)
    return 1 / inverse if log_loss(inverse) < log_loss(1.0) else 1.0
