"""The t interval against scipy.stats and the corrected variance against its formula."""

import math

import numpy as np
import pytest
import scipy.stats

from mtlrun.statistics import t_interval

VALUES = np.array([1.2, -0.4, 3.1, 0.7, 2.2])


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_as_scipy(level):
    expected = scipy.stats.ttest_1samp(VALUES, 0).confidence_interval(level)
    mean, low, high = t_interval(VALUES, level)
    assert mean == pytest.approx(6.8 / 5)
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_two_values_by_hand():
    # s = √2/2·|1 − 3| = √2, s/√2 = 1, t(1) at 97.5 % = tan(0.475 π)
    assert t_interval([1.0, 3.0]) == pytest.approx((2, 2 - math.tan(0.475 * math.pi), 2 + math.tan(0.475 * math.pi)))


def test_corrected_variance():
    mean, low, high = t_interval(VALUES)
    corrected = t_interval(VALUES, test_over_train=15 / 70)
    assert corrected[0] == mean
    widened = math.sqrt((1 / 5 + 15 / 70) / (1 / 5))
    assert corrected[1:] == pytest.approx((mean + (low - mean) * widened, mean + (high - mean) * widened))
    assert t_interval(VALUES, test_over_train=0.0) == (mean, low, high)


def test_one_seed_equal_seeds_and_wrong_ones():
    assert t_interval([2.5]) == (2.5, None, None)
    assert t_interval([0.1] * 7) == (0.1, 0.1, 0.1)  # their computed mean and variance miss 0.1 and 0
    for wrong in ([], [1.0, np.nan], [np.inf], [[1.0, 2.0]]):
        with pytest.raises(ValueError):
            t_interval(wrong)
    with pytest.raises(ValueError, match="ratio"):
        t_interval(VALUES, test_over_train=-0.1)
