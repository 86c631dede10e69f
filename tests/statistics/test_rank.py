"""Ranks against scipy.stats.rankdata."""

import numpy as np
import pytest
import scipy.stats

from mtlrun.statistics import mean_rank, ranks


def test_as_scipy_with_ties_in_both_directions():
    values = np.random.default_rng(0).integers(0, 4, size=(6, 5, 3)).astype(float)
    higher = np.array([True, False, True])
    expected = scipy.stats.rankdata(np.where(higher, -values, values), axis=0)
    assert (ranks(values, higher) == expected).all()
    assert (ranks(values[:, 0, 0], True) == expected[:, 0, 0]).all()


def test_mean_by_hand():
    # errors 1, 2, 2: places 1, 2.5, 2.5; accuracies .9, .8, .95: places 2, 3, 1
    values = [[1, 0.9], [2, 0.8], [2, 0.95]]
    assert mean_rank(values, [False, True]) == pytest.approx([1.5, 2.75, 1.75])


def test_a_method_without_a_figure_has_no_place():
    with pytest.raises(ValueError):
        ranks([[1.0], [np.nan]], False)
