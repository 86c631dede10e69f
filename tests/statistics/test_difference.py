"""Paired tests against scipy.stats and against brute force over all signings."""

from itertools import product

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from mtlrun.statistics import paired_t, sign_flip, t_interval, tost, verdict, wins

VALUES = np.array([-1.2, 0.4, -3.1, -0.7, -2.2, 0.1])


def test_paired_t_as_scipy():
    assert paired_t(VALUES) == pytest.approx(scipy.stats.ttest_rel(VALUES, np.zeros(6)).pvalue)
    assert paired_t(-VALUES) == paired_t(VALUES)


def test_corrected_t_is_one_with_the_corrected_interval():
    shrunk = scipy.stats.ttest_1samp(VALUES, 0).statistic * np.sqrt((1 / 6) / (1 / 6 + 0.2))
    assert paired_t(VALUES, 0.2) == pytest.approx(2 * scipy.stats.t.sf(abs(shrunk), 5))
    p = paired_t(VALUES, 0.2)  # the 1 − p interval ends at 0
    assert t_interval(VALUES, 1 - p, 0.2)[2] == pytest.approx(0, abs=1e-12)


def test_paired_t_without_variance():
    assert paired_t([0.0] * 5) == 1
    assert paired_t([0.1] * 7) == 0
    assert paired_t([-3.0]) == 1  # one seed


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_sign_flip_as_brute_force(n):
    generator = np.random.default_rng(n)
    for values in (generator.normal(0.5, 1, n), generator.integers(-3, 4, n).astype(float)):  # the second has ties
        sums = [abs(np.dot(signs, values)) for signs in product([-1, 1], repeat=n)]
        assert sign_flip(values) == np.mean([s >= abs(values.sum()) - 1e-9 for s in sums])


def test_sign_flip_as_scipy():
    found = scipy.stats.permutation_test(
        (VALUES, np.zeros(6)), lambda a, b: np.sum(a - b), permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip(VALUES) == pytest.approx(found.pvalue)


def test_sign_flip_smallest_p_ties_and_zeros():
    assert [sign_flip(np.linspace(1, 2, n)) for n in (1, 6, 8, 16)] == [1, 2 / 2**6, 2 / 2**8, 2 / 2**16]
    assert sign_flip(np.zeros(8)) == 1
    # 0.1 + 0.2 and 0.3 differ by a rounding: the four signings of (0.1, 0.2, ∓0.3) that sum to 0.6 or 0 in truth
    assert sign_flip([0.1, 0.2, -0.3]) == 1
    assert sign_flip([0.1, 0.2, 0.3]) == 2 / 8


def test_sign_flip_above_sixteen_seeds():
    generator = np.random.default_rng(3)
    values = generator.normal(0.35, 1, 17)
    sums = values[:1]
    for value in values[1:]:
        sums = np.concatenate([sums + value, sums - value])
    exact = np.mean(np.abs(sums) >= abs(values.sum()))
    assert 0.01 < exact < 0.99
    assert sign_flip(values) == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 100_000))
    assert sign_flip(values) == sign_flip(values)
    assert sign_flip(np.ones(40), draws=999) == 1 / 1000  # never 0


def test_wins_as_scipy_without_ties():
    expected = scipy.stats.binomtest(4, 6).proportion_ci(0.95, "exact")
    assert wins(VALUES) == pytest.approx((4 / 6, expected.low, expected.high))


def test_wins_of_all_and_of_none():
    # closed form of all n won: low = (α/2)^(1/n)
    assert wins([-1.0] * 6) == pytest.approx((1, 0.025 ** (1 / 6), 1))
    assert wins([1.0] * 6) == pytest.approx((0, 0, 1 - 0.025 ** (1 / 6)))


def test_ties_count_half_in_the_share_and_against_either_end():
    lost, won = (scipy.stats.binomtest(k, 8).proportion_ci(0.95, "exact") for k in (4, 6))
    assert wins([-1, -1, -1, -1, 0, 1e-12, 2, 2]) == pytest.approx((5 / 8, lost.low, won.high))
    assert wins([0.0] * 8) == (0.5, 0, 1)


@pytest.mark.parametrize("ratio", [None, 0.2])
def test_tost_as_two_tests_of_scipy(ratio):
    stretch = 1 if ratio is None else np.sqrt((1 / 6 + ratio) / (1 / 6))
    shifted = VALUES.mean() + (VALUES - VALUES.mean()) * stretch  # as if the spread were the corrected one
    for margin in (0.5, 1.2, 3.0, 4.0):
        low = scipy.stats.ttest_1samp(shifted, -margin, alternative="greater").pvalue
        high = scipy.stats.ttest_1samp(shifted, margin, alternative="less").pvalue
        p, equivalent = tost(VALUES, margin, test_over_train=ratio)
        assert p == pytest.approx(max(low, high))
        _, a, b = t_interval(VALUES, 0.9, ratio)
        assert equivalent == (-margin <= a and b <= margin)


def test_tost_at_its_edges():
    assert tost([0.2], 1) == (1, False)
    assert tost([0.2] * 3, 1) == (0, True)
    assert tost([1.2] * 3, 1) == (1, False)
    with pytest.raises(ValueError, match="margin"):
        tost(VALUES, 0)


@pytest.mark.parametrize("function", [paired_t, sign_flip, wins, lambda d: tost(d, 1)])
@pytest.mark.parametrize("wrong", [[], [1.0, np.nan], [np.inf, 1.0]])
def test_a_figure_that_is_missing_is_refused(function, wrong):
    with pytest.raises(ValueError):
        function(wrong)


def test_the_word():
    assert verdict(-2.0, 0.04, False) == "better"
    assert verdict(2.0, 0.05, False) == "worse"
    assert verdict(-0.1, 0.01, True) == "better"  # certain, and small: the mean says how small
    assert verdict(-0.1, 0.06, True) == "equivalent"
    assert verdict(-2.0, 0.06, False) == "undecided"


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=10))
def test_either_side_sees_the_same(values):
    values = np.array(values, float)
    assert sign_flip(values) == sign_flip(-values)
    share, low, high = wins(values)
    assert wins(-values) == pytest.approx((1 - share, 1 - high, 1 - low))
    assert low <= share <= high
