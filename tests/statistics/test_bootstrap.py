"""Bootstraps against what they estimate: standard errors in closed form."""

import numpy as np
import pytest

from mtlrun.statistics import bootstrap_runs

WIDE = 2 * 1.959964  # 95 % of a normal, in standard deviations


def test_runs_of_both_arms_are_drawn_whole():
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(60, 1))
    a, b = 5 + shared + 0.1 * generator.normal(size=(60, 4)), generator.normal(size=(40, 4))
    low, high = bootstrap_runs(a, b, lambda x, y: float(x.mean() - y.mean()))
    by_run = np.sqrt(a.mean(1).var() / 60 + b.mean(1).var() / 40)  # tasks of one run go together
    assert (high - low) / WIDE == pytest.approx(by_run, rel=0.06)
    by_task = np.sqrt(a.var() / 240 + b.var() / 160)  # as if tasks were independent
    assert (high - low) / WIDE > 1.4 * by_task
    assert low < a.mean() - b.mean() < high
    assert (low, high) == bootstrap_runs(a, b, lambda x, y: float(x.mean() - y.mean()))


def test_one_run_has_no_spread():
    assert bootstrap_runs([[1.0, 2.0]], [[0.0, 1.0]], lambda x, y: float((x - y).mean()), draws=20) == (1, 1)
