"""Metrics over draws of test rows, for intervals that cover other rows as well as other seeds.

A draw of N rows with replacement is stored as counts `[N]`: how often each row was drawn. A metric of the draw is the
metric of all rows, with each weight multiplied by its count. Rows are therefore drawn once for all runs, and sums over
rows are matrix products.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from mtlrun.statistics.arrays import Floats

BINS = 15  # of ece
CELLS = 1 << 21  # draws × rows that a sorted metric processes at once: 16 MiB in float64


@dataclass(frozen=True)
class Scored:
    """The per-row figures of one task in one run, from which metrics are computed: arrays `[N]`.

    weight: the weight of a row, 0 without a label. columns, by name: "error" and "label" in the unit of the target, for
    mse, rmse, mae and r2; "score" and "label" (0 or 1), for auroc and auprc; "confidence" and "hit" (0 or 1), for ece;
    the name of any other metric, for the numbers whose weighted mean is that metric.
    """

    weight: Floats
    columns: Mapping[str, Floats]


def lacking(rows: Scored, metrics: Iterable[str]) -> list[str]:
    """The metrics that cannot be computed from the columns of the rows."""
    made = {**dict.fromkeys(SUMS, "error"), **dict.fromkeys(SORTED, "score"), "ece": "confidence"}
    return [metric for metric in metrics if metric not in rows.columns and made.get(metric, "") not in rows.columns]


def row_draws(rows: int, draws: int, seed: int = 0, groups: ArrayLike | None = None) -> np.ndarray:
    """How often each row is drawn: float32 `[1 + draws, N]`. The first line is the original rows, once each.

    With `groups` `[N]` (group numbers) whole groups are drawn, because rows of one group are not independent. A draw
    has as many groups as the table. Takes 4·(1 + draws)·N bytes.
    """
    generator = np.random.default_rng(seed)
    found = np.ones((1 + draws, rows), np.float32)
    members = np.arange(rows) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    units = int(members.max()) + 1
    for line in found[1:]:
        line[:] = np.bincount(generator.integers(units, size=units), minlength=units)[members]
    return found


def over_draws(counts: np.ndarray, wanted: Sequence[tuple[Scored, str]]) -> Floats:
    """Metrics `[D, K]` over the draws `counts` `[D, N]`; NaN if undefined. wanted: K pairs (rows, name of a metric).

    Names as in summary.json: mse, rmse, mae, r2, auroc, auprc, ece, or a column of the rows. ValueError: another name.
    """
    made = [None if metric in SORTED else _sum_metric(rows, metric) for rows, metric in wanted]
    terms = [
        [] if metric is None else _weighted(rows, *metric.terms(rows))
        for (rows, _), metric in zip(wanted, made, strict=True)
    ]
    every = [term for of_metric in terms for term in of_metric]
    sums = iter((counts @ np.stack(every, 1).astype(np.float32)).T if every else ())  # [D] for each term
    values = np.full((len(counts), len(wanted)), np.nan)
    for k, ((rows, name), metric) in enumerate(zip(wanted, made, strict=True)):
        if metric is None:
            values[:, k] = SORTED[name](rows, counts)
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            values[:, k] = metric.value(*(next(sums).astype(np.float64) for _ in terms[k]))
    return np.where(np.isfinite(values), values, np.nan)


def seed_draws(values: Floats, seed: int = 0) -> Floats:
    """Means `[D]` of `values` `[D, n]`, n ≥ 2, over n − 1 seeds, drawn with replacement for each draw of rows.

    Rows and seeds are drawn independently (Owen, Annals of Applied Statistics 2007). With n − 1 of n seeds the variance
    of the mean is s²/n. With n seeds it would be smaller by the factor (n − 1)/n (Rao & Wu, JASA 1988).
    """
    draws, n = values.shape
    weights = np.random.default_rng(seed).multinomial(n - 1, np.full(n, 1 / n), size=draws) / (n - 1)
    return np.asarray((weights * values).sum(1))


def percentiles(drawn: Floats, level: float = 0.95) -> tuple[float, float]:
    """(low, high): the middle `level` of the draws `[D]`. Undefined (NaN) draws are left out; NaN if all are NaN."""
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def drawn_p(drawn: Floats) -> float:
    """Two-sided p of a difference from its draws `[D]`: 2·Φ(−|mean|/s), s the standard deviation of the draws.

    s is the bootstrap standard error (Efron & Tibshirani 1993, ch. 6). p is 1 if fewer than two draws are defined or if
    all are 0, and 0 if all are equal but not 0. The share of draws beyond 0 is not used: it would need thousands of
    draws for a p that is small enough after Holm's adjustment.
    """
    known = drawn[~np.isnan(drawn)]
    if len(known) < 2:
        return 1.0
    mean, spread = abs(float(known.mean())), float(known.std(ddof=1))
    if spread == 0:
        return 1.0 if mean == 0 else 0.0
    return min(1.0, 2 * float(ndtr(-mean / spread)))


# ---------------------------------------------------------------- metrics


def _weighted(rows: Scored, *values: Floats) -> list[Floats]:
    """The terms `[N]` of Σ w and of Σ w v for each v. Rows of weight 0 may hold anything."""
    kept = rows.weight > 0
    return [rows.weight, *(np.where(kept, v, 0.0) * rows.weight for v in values)]


def _centred(rows: Scored) -> Floats:
    """Labels minus their weighted mean, so that float32 sums of squares keep their digits."""
    kept = rows.weight > 0
    label = rows.columns["label"]
    return label - (np.average(label[kept], weights=rows.weight[kept]) if kept.any() else 0.0)


def _r2(w: Floats, squares: Floats, label: Floats, label_squares: Floats) -> Floats:
    """1 − Σ w e² / Σ w (y − ȳ)²."""
    spread = label_squares - label**2 / w
    return 1 - squares / np.where(spread > 1e-6 * label_squares, spread, np.nan)


def _mean(w: Floats, values: Floats) -> Floats:
    return values / w


def _gaps(rows: Scored) -> list[Floats]:
    """Confidence minus hit, for the rows of each bin of the confidence; 0 elsewhere."""
    confidence, hit = rows.columns["confidence"], rows.columns["hit"]
    bins = np.clip(np.ceil(confidence * BINS), 1, BINS)
    return [np.where(bins == b, confidence - hit, 0.0) for b in range(1, BINS + 1)]


def _ece(w: Floats, *gaps: Floats) -> Floats:
    """Σ_b |gap of bin b| / Σ w; see `ece` in tasks/metrics.py."""
    return np.asarray(np.abs(np.stack(gaps)).sum(0) / w)


@dataclass(frozen=True)
class SumMetric:
    """A metric computed from weighted sums over rows.

    terms: the arrays `[N]` that are summed. value: the metric as a function of the sum of the weights and the weighted
    sums of the terms.
    """

    terms: Callable[[Scored], list[Floats]]
    value: Callable[..., Floats] = _mean


SUMS: Mapping[str, SumMetric] = {
    "mse": SumMetric(lambda rows: [rows.columns["error"] ** 2]),
    "rmse": SumMetric(lambda rows: [rows.columns["error"] ** 2], lambda w, squares: np.sqrt(squares / w)),
    "mae": SumMetric(lambda rows: [abs(rows.columns["error"])]),
    "r2": SumMetric(lambda rows: [rows.columns["error"] ** 2, _centred(rows), _centred(rows) ** 2], _r2),
    "ece": SumMetric(_gaps, _ece),
}


def _sum_metric(rows: Scored, metric: str) -> SumMetric:
    """The computation of a metric without sorting: one of `SUMS`, or the mean of a column. ValueError: neither."""
    if metric in rows.columns:
        return SumMetric(lambda rows: [rows.columns[metric]])
    if metric not in SUMS:
        raise ValueError(f"{metric}: no metric of single rows")
    return SUMS[metric]


def _ranked(rows: Scored, counts: np.ndarray, area: Callable[[Floats, Floats], Floats]) -> Floats:
    """`area` for each draw `[D]`. `area` takes the drawn weights of positives and of negatives, both `[D, G]`.

    G is the number of distinct scores, in ascending order. NaN if a draw lacks positives or negatives.
    """
    kept = np.flatnonzero(rows.weight > 0)
    if not len(kept):
        return np.full(len(counts), np.nan)
    order = kept[np.argsort(rows.columns["score"][kept], kind="stable")]
    score = rows.columns["score"][order]
    starts = np.flatnonzero(np.append(True, score[1:] != score[:-1]))
    label, weight = rows.columns["label"][order], rows.weight[order]
    positive, negative = weight * label, weight * (1 - label)
    found, step = np.empty(len(counts)), max(1, CELLS // len(order))
    for start in range(0, len(counts), step):
        drawn = counts[start : start + step, order].astype(np.float64)
        pos, neg = (np.add.reduceat(drawn * side, starts, axis=1) for side in (positive, negative))
        with np.errstate(divide="ignore", invalid="ignore"):
            both = (pos.sum(1) > 0) & (neg.sum(1) > 0)
            found[start : start + step] = np.where(both, area(pos, neg), np.nan)
    return found


def _auroc(pos: Floats, neg: Floats) -> Floats:
    """P(a positive scores above a negative); ties count ½ (Mann & Whitney 1947)."""
    below = neg.cumsum(1) - neg / 2
    return np.asarray((pos * below).sum(1) / (pos.sum(1) * neg.sum(1)))


def _auprc(pos: Floats, neg: Floats) -> Floats:
    """Average precision: Σ (step of recall)·precision over the distinct scores."""
    true, false = (side[:, ::-1].cumsum(1)[:, ::-1] for side in (pos, neg))
    seen = true + false
    return np.asarray((pos * true / np.where(seen > 0, seen, 1.0)).sum(1) / pos.sum(1))


SORTED: Mapping[str, Callable[[Scored, np.ndarray], Floats]] = {
    "auroc": lambda rows, counts: _ranked(rows, counts, _auroc),
    "auprc": lambda rows, counts: _ranked(rows, counts, _auprc),
}
