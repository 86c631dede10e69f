"""The best to expect of n trials against an enumeration of all draws."""

from itertools import product

import numpy as np
import pytest

from mtlrun.statistics import expected_best, skill


@pytest.mark.parametrize("values", [[3.0, 1.0, 2.0, -5.0], [1.0, 2.0, 2.0, 1.0], [0.7]])
def test_as_the_mean_of_all_draws(values):
    expected = [np.mean([max(drawn) for drawn in product(values, repeat=n)]) for n in range(1, len(values) + 1)]
    assert expected_best(values) == pytest.approx(expected)


def test_many_trials_come_near_the_best():
    values = np.random.default_rng(0).normal(size=500)
    found = expected_best(values)
    assert found[0] == pytest.approx(values.mean()) and (np.diff(found) > 0).all()
    assert values.max() - 0.3 < found[-1] < values.max()


def test_skill():
    assert skill([0.5, 2.0, 0.0], [1.0, 1.0, 4.0]) == pytest.approx([0.5, -1, 1])
    assert np.isnan(skill(0.1, 0.0))
