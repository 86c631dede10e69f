"""Weighted metrics with a run axis: every public function maps `[R, N]` to `[R]`, in float64.

A row of weight 0 does not count. An undefined metric (no rows, only one class) is NaN. Scores and classes that float32
cannot tell apart are ties (`ROUNDING`), so that a figure does not depend on the order in which a device adds numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtlrun.util.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

ROUNDING = 2.0**-20  # 8 units in the last place of float32 at 1: what the sums of a layer round to
BINS = 15  # of `ece`, as in Guo et al. 2017
WIDEST = 256  # a tie is at most this many times `ROUNDING` wide: among very many rows, all neighbours may be near


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


def with_ties(scores: Tensor) -> Tensor:
    """Logits `[..., N]`, equal where float32 cannot tell them apart; the order of the others stays. float64.

    Neighbours tie if they differ by at most `ROUNDING` times max(1, |logit|). A tie has the value of its least logit.
    A chain of neighbours wider than `WIDEST` times that is cut into ties of this width, with the values of their lower
    ends.
    """
    ordered, order = scores.double().sort(-1)
    tie = ROUNDING * ordered.abs().clamp(min=1)
    places = torch.arange(ordered.shape[-1], device=ordered.device).expand_as(ordered)
    apart = torch.ones_like(ordered, dtype=torch.bool)
    apart[..., 1:] = ~(ordered.diff(dim=-1) <= tie[..., :-1])
    least = ordered.gather(-1, torch.where(apart, places, 0).cummax(-1).values)
    widest = WIDEST * ROUNDING * least.abs().clamp(min=1)
    parts = ((ordered - least) / widest).floor() * widest
    return torch.empty_like(ordered).scatter_(-1, order, torch.where(parts > 0, least + parts, least))


def chosen(logits: Tensor) -> Tensor:
    """The class `[...]` of logits `[..., K]`: the first whose logit is at most `ROUNDING` below the largest."""
    return (logits >= logits.amax(-1, keepdim=True) - ROUNDING).to(torch.uint8).argmax(-1)


def brier(probabilities: Tensor, labels: Tensor) -> Tensor:
    """The Brier score of each row `[..., N]`: Σ_k (p_k − y_k)² over classes, from 0 to 2 (Brier 1950).

    probabilities `[..., N, K]`, labels: the class `[..., N]`. Two classes with one probability p of the second have
    (p − y)², which is half of this; see `Binary`.
    """
    of_label = probabilities.gather(-1, labels.long().unsqueeze(-1)).squeeze(-1)
    return probabilities.square().sum(-1) - 2 * of_label + 1


def ece(confidence: Tensor, hits: Tensor, weights: Tensor) -> Tensor:
    """Expected calibration error Σ_b |Σ_{i in b} w (c − h)| / Σ w over 15 equal bins b of the confidence c.

    hits h: 1 where the prediction is right, else 0. Naeini et al. 2015; Guo et al. 2017, eq. 3. A bin holds its upper
    end but not its lower one.
    """
    kept = weights > 0
    confidence = torch.where(kept, confidence.double(), 0.0)
    bins = (confidence * BINS).nan_to_num(1.0).ceil().clamp(1, BINS).long() - 1  # nan makes the figure nan
    gaps = torch.where(kept, weights * (confidence - hits), 0.0)
    runs = torch.arange(len(bins), device=bins.device).unsqueeze(-1)
    sums = torch.zeros(len(bins) * BINS, dtype=torch.float64, device=bins.device)
    sums.index_add_(0, (bins + BINS * runs).flatten(), gaps.double().flatten())  # also deterministic on a GPU
    total = weights.sum(-1)
    return torch.where(total > 0, sums.view(-1, BINS).abs().sum(-1) / total, torch.nan)


def _ranked(scores: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scores in ascending order, and the positive weights in that order, `[R, N]` each; then two cumulative sums.

    These are the sums of the positive and of the negative weights of the first 0, 1, … N rows, `[R, N + 1]` each. Rows
    of weight 0 add nothing to any sum, at any position, and may hold any value.
    """
    # rows of weight 0 come last, so that none of them joins two other rows into a tie
    scores = with_ties(torch.where(weights > 0, scores.double(), torch.inf))
    labels = torch.where(weights > 0, labels.double(), 0.0)
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
