"""Ranks against scipy.stats.rankdata. The front against its definition, pair by pair."""

import numpy as np
import pytest
import scipy.stats

from mtlrun.statistics import dominated_by, front, mean_rank, ranks


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


def dominates(a, b, higher):
    better = [x > y if h else x < y for x, y, h in zip(a, b, higher, strict=True)]
    worse = [x < y if h else x > y for x, y, h in zip(a, b, higher, strict=True)]
    return any(better) and not any(worse)


def test_as_the_definition():
    generator = np.random.default_rng(0)
    higher = [False, True, False]
    values, others = generator.integers(0, 4, (12, 3)).astype(float), generator.integers(0, 4, (7, 3)).astype(float)
    assert dominated_by(values, others, higher).tolist() == [
        any(dominates(o, v, higher) for o in others) for v in values
    ]
    assert front(values, higher).tolist() == [not any(dominates(o, v, higher) for o in values) for v in values]


def test_equal_rows_share_the_front():
    # errors; the third is beaten by the first two, the last only ties with the first in one metric
    assert front([[1, 2], [1, 2], [2, 2], [0, 3]], [False, False]).tolist() == [True, True, False, True]
    assert dominated_by([[1, 2]], [[1, 2]], [False, False]).tolist() == [False]


def test_a_missing_figure_is_refused():
    with pytest.raises(ValueError):
        front([[1, np.nan]], [False, False])
