"""Metrics over draws of rows against scikit-learn on the drawn rows themselves, and what the intervals cover."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics

from mtlrun.statistics import Scored, drawn_p, lacking, over_draws, percentiles, row_draws, seed_draws

ROWS = 60
LUCK = np.random.default_rng(0)
LABEL = LUCK.normal(1000, 5, ROWS)
BINARY = LUCK.integers(0, 2, ROWS).astype(float)
ERROR = LUCK.normal(0, 3, ROWS)
SCORE = np.round(LUCK.normal(BINARY, 1), 1)  # with ties
HIT = LUCK.integers(0, 2, ROWS).astype(float)
LOSS = LUCK.exponential(size=ROWS)
WEIGHT = np.where(np.arange(ROWS) % 7 == 0, 0.0, LUCK.uniform(0.5, 2, ROWS))  # some rows have no label
NUMBERS = {"label": np.where(WEIGHT > 0, LABEL, np.nan), "error": np.where(WEIGHT > 0, ERROR, np.nan)}
SCORED = Scored(WEIGHT, {**NUMBERS, "accuracy": HIT, "logloss": LOSS})
SIDES = Scored(WEIGHT, {"label": BINARY, "score": SCORE})

Metric = Callable[[np.ndarray, np.ndarray], float]
EXPECTED: dict[str, tuple[Scored, Metric]] = {
    "mse": (SCORED, lambda i, w: metrics.mean_squared_error(LABEL[i], LABEL[i] + ERROR[i], sample_weight=w)),
    "rmse": (SCORED, lambda i, w: metrics.root_mean_squared_error(LABEL[i], LABEL[i] + ERROR[i], sample_weight=w)),
    "mae": (SCORED, lambda i, w: metrics.mean_absolute_error(LABEL[i], LABEL[i] + ERROR[i], sample_weight=w)),
    "r2": (SCORED, lambda i, w: metrics.r2_score(LABEL[i], LABEL[i] + ERROR[i], sample_weight=w)),
    "accuracy": (SCORED, lambda i, w: float(np.average(HIT[i], weights=w))),
    "logloss": (SCORED, lambda i, w: float(np.average(LOSS[i], weights=w))),
    "auroc": (SIDES, lambda i, w: metrics.roc_auc_score(BINARY[i], SCORE[i], sample_weight=w)),
    "auprc": (SIDES, lambda i, w: metrics.average_precision_score(BINARY[i], SCORE[i], sample_weight=w)),
}


@pytest.mark.parametrize("metric", EXPECTED)
def test_a_metric_of_a_draw_is_that_of_the_drawn_rows(metric: str) -> None:
    rows, expected = EXPECTED[metric]
    counts = row_draws(ROWS, 20, seed=3)
    found = over_draws(counts, [(rows, "logloss"), (rows, metric)] if rows is SCORED else [(rows, metric)])[:, -1]
    for value, count in zip(found, counts.astype(int), strict=True):
        drawn = np.repeat(np.arange(ROWS), count)
        drawn = drawn[WEIGHT[drawn] > 0]
        assert value == pytest.approx(expected(drawn, WEIGHT[drawn]), rel=1e-4)


def test_draws_are_of_rows_or_of_whole_groups_and_the_first_is_the_data() -> None:
    counts = row_draws(1000, 300)
    assert (counts[0] == 1).all() and (counts[1:].sum(1) == 1000).all()
    assert (counts[1:] == 0).mean() == pytest.approx(np.exp(-1), abs=0.005)  # (1 − 1/N)^N
    groups = np.array([7, 7, 2, 2, 2, 9])
    drawn = row_draws(6, 200, groups=groups)
    assert all(len(set(drawn[1:][:, groups == g][i])) == 1 for g in (2, 7, 9) for i in range(200))
    assert (drawn[1:][:, [0, 2, 5]].sum(1) == 3).all()


def test_a_metric_that_a_draw_has_not_is_undefined() -> None:
    one_class = Scored(np.ones(5), {"label": np.ones(5), "score": np.arange(5.0)})
    constant = Scored(np.ones(5), {"label": np.full(5, 4.0), "error": np.ones(5)})
    found = over_draws(row_draws(5, 3), [(one_class, "auroc"), (constant, "r2"), (constant, "mse")])
    assert np.isnan(found[:, :2]).all() and found[:, 2].tolist() == [1.0] * 4
    assert lacking(constant, ["rmse", "r2", "auroc", "bleu"]) == ["auroc", "bleu"]
    assert lacking(SCORED, ["accuracy", "logloss", "mse"]) == [] == lacking(SIDES, ["auroc", "auprc"])
    with pytest.raises(ValueError, match="bleu: no metric of single rows"):
        over_draws(row_draws(5, 3), [(constant, "bleu")])


def test_the_variance_over_seeds_is_that_of_their_mean() -> None:
    values = np.random.default_rng(1).normal(size=5)
    drawn = seed_draws(np.tile(values, (40_000, 1)))
    assert drawn.mean() == pytest.approx(values.mean(), abs=0.01)
    assert drawn.var() == pytest.approx(values.var(ddof=1) / 5, rel=0.03)


def test_percentiles_and_p() -> None:
    drawn = np.append(np.arange(1001.0), np.nan)
    assert percentiles(drawn) == pytest.approx((25.0, 975.0)) and all(np.isnan(percentiles(np.full(3, np.nan))))
    assert drawn_p(np.random.default_rng(0).normal(1.959964, 1, 200_000)) == pytest.approx(0.05, abs=0.002)
    assert drawn_p(np.zeros(5)) == 1.0 and drawn_p(np.full(5, -2.0)) == 0.0 and drawn_p(np.array([np.nan, 1.0])) == 1.0


@pytest.mark.slow
def test_the_interval_covers_other_rows_and_other_seeds() -> None:
    """Row losses with luck of rows, of seeds and of both: the t interval over seeds alone covers far too little."""
    luck, seeds, rows = np.random.default_rng(0), 8, 150
    covered = over_seeds = 0
    for trial in range(1000):
        row, seed = luck.normal(0, 1, rows), luck.normal(0, 0.05, (seeds, 1))
        losses = row + seed + luck.normal(0, 0.5, (seeds, rows))
        counts = row_draws(rows, 400, trial)
        found = over_draws(counts, [(Scored(np.ones(rows), {"logloss": own}), "logloss") for own in losses])
        low, high = percentiles(seed_draws(found[1:], trial))
        half = 2.364624 * losses.mean(1).std(ddof=1) / np.sqrt(seeds)  # t(7)
        covered += min(low, losses.mean() - half) <= 0 <= max(high, losses.mean() + half)
        over_seeds += abs(losses.mean()) <= half
    assert 0.93 <= covered / 1000 <= 0.98 and over_seeds / 1000 < 0.6
