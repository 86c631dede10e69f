"""Do 95 % intervals cover in 95 %, and does a method that is held against itself win no more often than it may?

Rates are of simulations with fixed seeds.
"""

import math
from functools import cache

import numpy as np
import pandas as pd
import pytest

from mtlrun.data.paths import resolve_path
from mtlrun.statistics import (
    bootstrap_runs,
    delta_m_per_task,
    holm,
    paired_t,
    relative_drop,
    sign_flip,
    t_interval,
    tost,
    verdict,
)

TRAIN, TEST, TABLE = 420, 90, 600  # rows: 70, 15 and 100 %, as data.split has them by default


def runs(generator, shape, tasks, correlation, spread):
    """Figures around 1 whose deviations correlate between the tasks of a run: `[*shape, tasks]`."""
    shared = math.sqrt(correlation) * generator.normal(size=(*shape, 1))
    return 1 + spread * (shared + math.sqrt(1 - correlation) * generator.normal(size=(*shape, tasks)))


def delta_m(value, base):
    """Δm of errors `[..., K]` in percent: `[...]`."""
    return delta_m_per_task([relative_drop(value[..., [k]], base[..., [k]], False) for k in range(value.shape[-1])])


def covered(intervals, truth):
    return float(np.mean([low <= truth <= high for low, high in intervals]))


@pytest.fixture(scope="module")
def independent():
    """Δm of 4,000 comparisons over ten seeds, five tasks that correlate by 0.8; their drops; the truth."""
    generator = np.random.default_rng(0)
    base = runs(generator, (4000, 10), 5, 0.8, 0.02)
    value = 1.03 * runs(generator, (4000, 10), 5, 0.8, 0.03)
    # E[100 (M/B − 1)]: M and B are independent, and E[1/B] = 1 + v + 3 v² + … for a normal B around 1
    truth = 100 * (1.03 * (1 + 0.02**2 + 3 * 0.02**4) - 1)
    return delta_m(value, base), relative_drop(value, base, False), truth


@pytest.mark.slow
def test_t_interval_of_independent_runs(independent):
    by_seed, _, truth = independent
    assert 0.93 <= covered([t_interval(values)[1:] for values in by_seed], truth) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("shared, low, high", [(0.0, 0.80, 0.90), (0.95, 0.99, 1.0)])
def test_the_mean_over_seeds_is_no_baseline(shared, low, high):
    """Held against the baseline's mean instead of the same seed's, intervals miss what pairing knows: too short where
    runs are independent, too long where a seed moves both alike. Paired ones are right in both."""
    generator = np.random.default_rng(7)
    seed = generator.normal(size=(3000, 10, 1))
    value, base = (
        1 + 0.02 * (math.sqrt(shared) * seed + math.sqrt(1 - shared) * generator.normal(size=seed.shape))
        for _ in range(2)
    )
    truth = 100 * (1 - shared) * 0.02**2  # E[100 (M/B − 1)] to second order
    paired = covered([t_interval(v)[1:] for v in delta_m(value, base)], truth)
    plugged = covered([t_interval(v)[1:] for v in delta_m(value, base.mean(1, keepdims=True))], truth)
    assert 0.93 <= paired <= 0.97
    assert low <= plugged <= high, plugged


@pytest.mark.slow
def test_tasks_drawn_as_if_independent_cover_far_less(independent):
    """What `bootstrap_runs` does not do: 63 % where 95 % are claimed; whole runs cover 90 %."""
    _, drops, truth = independent
    generator = np.random.default_rng(1)
    found = {"tasks": [], "runs": []}
    for values in drops[:1500]:  # [10, 5]
        seeds, tasks = values.shape
        single = values[generator.integers(seeds, size=(400, seeds, tasks)), np.arange(tasks)].mean((1, 2))
        whole = values[generator.integers(seeds, size=(400, seeds))].mean((1, 2))
        for kind, means in (("tasks", single), ("runs", whole)):
            found[kind].append(np.quantile(means, [0.025, 0.975]))
    assert covered(found["tasks"], truth) == pytest.approx(0.63, abs=0.03)
    assert 0.87 <= covered(found["runs"], truth) <= 0.93


@pytest.mark.slow
def test_runs_that_are_not_paired():
    """Two arms of 20 and 25 runs; a percentile bootstrap of so few covers a little less than it claims."""
    generator = np.random.default_rng(2)
    found = []
    for _ in range(600):
        a, b = runs(generator, (20,), 3, 0.8, 0.03), runs(generator, (25,), 3, 0.8, 0.02)
        found.append(bootstrap_runs(a, b, lambda x, y: float(x.mean() / y.mean()), draws=400))
    assert 0.91 <= covered(found, 1.0) <= 0.97


@cache
def diamonds():
    """Inputs `[N, 24]` (standardised) and two targets, price and table."""
    frame = pd.read_csv(resolve_path("package:diamonds.csv.gz"))
    letters = pd.get_dummies(frame[["cut", "color", "clarity"]]).to_numpy(float)
    inputs = np.column_stack([frame[["carat", "depth", "x", "y"]].to_numpy(float), letters])
    return (inputs - inputs.mean(0)) / inputs.std(0), frame[["price", "table"]].to_numpy(float)


def rmse(inputs, targets, penalty):
    """Test RMSE per target of a ridge regression; the first TRAIN rows train, the last TEST rows test."""
    means, centre = inputs[:TRAIN].mean(0), targets[:TRAIN].mean(0)
    x = inputs[:TRAIN] - means
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (targets[:TRAIN] - centre))
    wrong = (inputs[-TEST:] - means) @ weights + centre - targets[-TEST:]
    return np.sqrt((wrong**2).mean(0))


def drop_on(rows):
    """Δm of three comparisons on one split: carat alone, a strong penalty, and the mean, against the full ridge."""
    inputs, targets = diamonds()
    x, y = inputs[rows], targets[rows]
    full = rmse(x, y, 1.0)
    others = np.stack([rmse(x[:, :1], y, 1.0), rmse(x, y, 30.0), rmse(x[:, :1], y, 1e12)])
    return delta_m(others, full)


@pytest.fixture(scope="module")
def re_splits():
    """Δm of 1,000 tables of 600 diamonds, split anew thirty times `[1000, 30, 3]`; the means over fresh tables."""
    everything = len(diamonds()[0])
    generator = np.random.default_rng(4)
    fresh = [drop_on(generator.choice(everything, TRAIN + TEST, replace=False)) for _ in range(12_000)]
    tables = [generator.choice(everything, TABLE, replace=False) for _ in range(1000)]
    by_table = [[drop_on(generator.permutation(table)) for _ in range(30)] for table in tables]
    return np.array(by_table), np.mean(fresh, axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("seeds, plain_at_most", [(10, 0.80), (30, 0.60)])
def test_corrected_interval_on_real_re_splits(re_splits, seeds, plain_at_most):
    """Splits of one table share rows: the plain interval covers far less, the less the more seeds there are.

    At least 93 % between models. The third comparison is with a model that knows no inputs: a ratio of 2.4 with a
    long tail, for which 4,000 tables gave 93 %; two standard errors of this simulation are left for it.
    """
    drops, truth = re_splits
    error = math.sqrt(0.93 * 0.07 / len(drops))
    for index, expected in enumerate(truth):
        values = drops[:, :seeds, index]
        assert covered([t_interval(v)[1:] for v in values], expected) <= plain_at_most
        assert covered([t_interval(v, test_over_train=TEST / TRAIN)[1:] for v in values], expected) >= (
            0.93 if index < 2 else 0.93 - 2 * error
        )


def family(differences, margin=1.0, ratio=None):
    """The words for methods `[M, n]` held against one reference, as a comparison forms them."""
    p = [max(sign_flip(d), paired_t(d, ratio)) for d in differences]
    return [
        verdict(float(d.mean()), adjusted, tost(d, margin, test_over_train=ratio)[1])
        for d, adjusted in zip(differences, holm(p), strict=True)
    ]


@pytest.mark.parametrize("seeds", [8, 10])
@pytest.mark.parametrize("noise", ["normal", "heavy tails"])
def test_a_method_against_itself_is_seldom_better(seeds, noise):
    """1,000 families of five methods that differ from their reference by luck alone, three tasks that correlate."""
    generator = np.random.default_rng(seeds)
    wrong = 0
    for _ in range(1000):
        figures = runs(generator, (6, seeds), 3, 0.8, 0.02)
        if noise == "heavy tails":
            figures = 1 + 0.02 * generator.standard_t(2, size=(6, seeds, 1)) * np.abs(figures)
        alone = runs(generator, (seeds,), 3, 0.8, 0.02)
        levels = delta_m(figures, alone)
        wrong += "better" in family(levels[1:] - levels[0])
    assert wrong <= 50


@pytest.mark.parametrize("seeds, found", [(7, False), (8, True)])
def test_a_method_that_is_clearly_better_is_found_from_enough_seeds_on(seeds, found):
    """Five methods, of which one is better by five standard deviations: eight seeds, and no fewer, can show it."""
    generator = np.random.default_rng(5)
    differences = generator.normal(size=(5, seeds))
    differences[2] -= 5
    assert family(differences)[2] == ("better" if found else "undecided")


@pytest.mark.slow
def test_a_network_against_itself_on_real_re_splits():
    """As above with nets of random tanh units on diamonds: 1,000 families of five, eight re-splits of 600 rows."""
    inputs, targets = diamonds()
    generator = np.random.default_rng(6)
    wrong = 0
    for _ in range(1000):
        table = generator.choice(len(inputs), TABLE, replace=False)
        figures, alone = np.empty((6, 8, 2)), np.empty((8, 2))
        for seed in range(8):
            rows = generator.permutation(table)
            x, y = inputs[rows], targets[rows]
            for method in range(6):
                units = np.tanh(x @ generator.normal(size=(x.shape[1], 24)) / math.sqrt(x.shape[1]))
                figures[method, seed] = rmse(units, y, 1.0)
            alone[seed] = rmse(x, y, 1.0)
        levels = delta_m(figures, alone)
        wrong += "better" in family(levels[1:] - levels[0], ratio=TEST / TRAIN)
    assert wrong <= 50
