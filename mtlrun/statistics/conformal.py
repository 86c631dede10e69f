"""Intervals of numbers by split-conformal prediction (Papadopoulos et al. 2002; Lei et al. 2018, algorithm 2).

For n rows of val with residuals |y − ŷ|, the interval ŷ ± q holds a further label with probability 1 − α or more, if q
is the residual of rank ⌈(n + 1)(1 − α)⌉ and all rows are exchangeable. It holds for any model. All rows have the same
width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtlrun.statistics.arrays import Floats

MOST = 1024  # residuals that are kept; with more rows the coverage is too high by at most 1 / 1024
LEVEL = 0.9  # of the intervals whose coverage a run records
ROUNDING = 1e-9  # of a share


@dataclass(frozen=True)
class Residuals:
    """The absolute residuals of one task on val.

    widths: ascending [G], in the unit of the target. shares: [G], the share of the rows with a residual of at most that
    width, of all rows and one more row of average weight: 1/(n + 1), …, n/(n + 1) if all weights are equal.
    rows: the number n. least: the least possible label, at which intervals end.
    """

    widths: Floats
    shares: Floats
    rows: int
    least: float = -np.inf

    @property
    def highest(self) -> float:
        """The highest level of an interval with finite ends: n / (n + 1)."""
        return float(self.shares[-1])

    def half_width(self, level: float) -> float:
        """q of the interval ŷ ± q of this level, 0 < level < 1; infinite above `highest`."""
        at = int(np.searchsorted(self.shares, level - ROUNDING))
        return float(self.widths[at]) if at < len(self.widths) else float("inf")

    def interval(self, predicted: Floats, half_width: float) -> tuple[Floats, Floats]:
        """The ends [N] of the intervals ŷ ± q of predictions [N], not below `least`."""
        return np.maximum(predicted - half_width, self.least), np.maximum(predicted + half_width, self.least)


def residuals(errors: Floats, weights: Floats, least: float = -np.inf) -> Residuals | None:
    """The residuals from errors y − ŷ and weights `[N]`. Rows of weight 0 do not count. None without rows."""
    kept = weights > 0
    if not kept.any():
        return None
    widths, weights = np.abs(errors[kept]), weights[kept]
    order = np.argsort(widths, kind="stable")
    rows = len(order)
    shares = np.cumsum(weights[order] / weights.mean()) / (rows + 1)
    # of many rows, evenly spaced ranks: each stands for the ranks between it and the one before
    ranks = np.unique(np.ceil(np.linspace(0, rows - 1, min(rows, MOST))).astype(int))
    return Residuals(widths[order][ranks], shares[ranks], rows, least)


def mean_half_width(members: Sequence[Residuals], level: float) -> float:
    """q for the mean of several models, from the residuals of each on its own val: the mean of theirs.

    By convexity |y − mean ŷ| is at most the mean of the |y − ŷ|, so an ensemble's residuals are no larger on average
    than those of its members. The coverage is no longer guaranteed.
    """
    return float(np.mean([member.half_width(level) for member in members]))


def interval_figures(predicted: Floats, labels: Floats, own: Residuals) -> Mapping[str, Floats]:
    """Figures [N] of each row's interval of 90 %, from predictions and labels [N] in the unit of the target.

    coverage_90: 1 if the label is inside. width_90: its width. interval_score_90: the width and, for a label outside,
    2/α times its distance from the interval (Gneiting & Raftery 2007, eq. 43): low if intervals are narrow and right.
    Their weighted means are metrics. Empty if val has too few rows.
    """
    if own.highest < LEVEL - ROUNDING:
        return {}
    with np.errstate(invalid="ignore"):  # a prediction may be infinite
        low, high = own.interval(predicted, own.half_width(LEVEL))
        width = high - low
    outside = np.maximum(low - labels, 0) + np.maximum(labels - high, 0)
    return {
        "coverage_90": (outside == 0).astype(np.float64),
        "width_90": width,
        "interval_score_90": width + 2 / (1 - LEVEL) * outside,
    }
