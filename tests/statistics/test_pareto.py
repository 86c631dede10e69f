"""The front against its definition, pair by pair."""

import numpy as np
import pytest

from mtlrun.statistics import dominated_by, front


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
