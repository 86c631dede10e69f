"""Weighted metrics with a run axis: every public function maps `[R, N]` to `[R]`, in float64.

A row of weight 0 does not count. An undefined metric (no rows, only one class) is NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtlrun.util.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Σ w v / Σ w over the last axis. Rows of weight 0 may hold anything."""
    total = weights.sum(-1)
    kept = torch.where(weights > 0, values.double(), 0.0)
    return torch.where(total > 0, (kept * weights).sum(-1) / total, torch.nan)


def r2(errors: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Coefficient of determination 1 − Σ w e² / Σ w (y − ȳ)²; NaN for constant labels."""
    kept = weights > 0
    labels = labels.double()
    # not variance > 0: rounding may make the mean of equal numbers differ from them
    largest = torch.where(kept, labels, -torch.inf).amax(-1)
    varied = largest > torch.where(kept, labels, torch.inf).amin(-1)
    mean = weighted_mean(labels, weights).unsqueeze(-1)
    variance = weighted_mean((labels - mean).square(), weights)
    return torch.where(varied, 1 - weighted_mean(errors.double().square(), weights) / variance, torch.nan)


def _ranked(scores: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scores in ascending order, and the positive weights in that order, `[R, N]` each; then two cumulative sums.

    These are the sums of the positive and of the negative weights of the first 0, 1, … N rows, `[R, N + 1]` each. Rows
    of weight 0 add nothing to any sum, at any position, and may hold any value.
    """
    scores, labels = (torch.where(weights > 0, v.double(), 0.0) for v in (scores, labels))
    ordered, order = scores.sort(-1)
    positive = (weights * labels).gather(-1, order)
    negative = (weights * (1 - labels)).gather(-1, order)
    start = torch.zeros_like(positive[..., :1])
    return ordered, positive, torch.cat([start, positive.cumsum(-1)], -1), torch.cat([start, negative.cumsum(-1)], -1)


def auroc(scores: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Area under the ROC curve: P(a positive scores above a negative); ties count ½ (Mann & Whitney 1947)."""
    ordered, positive, cum_pos, cum_neg = _ranked(scores, labels, weights)
    below = cum_neg.gather(-1, torch.searchsorted(ordered, ordered))
    upto = cum_neg.gather(-1, torch.searchsorted(ordered, ordered, right=True))
    total = cum_pos[..., -1] * cum_neg[..., -1]
    return torch.where(total > 0, (positive * (below + upto) / 2).sum(-1) / total, torch.nan)


def auprc(scores: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Average precision Σ (recall step) · precision over distinct thresholds, without interpolation."""
    ordered, positive, cum_pos, cum_neg = _ranked(scores, labels, weights)
    first = torch.searchsorted(ordered, ordered)  # the rows from this index on score at least as high
    true = cum_pos[..., -1:] - cum_pos.gather(-1, first)
    false = cum_neg[..., -1:] - cum_neg.gather(-1, first)
    precision = true / (true + false).clamp_min(torch.finfo(torch.float64).tiny)
    defined = (cum_pos[..., -1] > 0) & (cum_neg[..., -1] > 0)
    return torch.where(defined, (positive * precision).sum(-1) / cum_pos[..., -1], torch.nan)
