"""Relative drops and Δm, with figures worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlrun.statistics import NEAR_ZERO, delta_m_per_metric, delta_m_per_task, relative_drop


def test_worse_is_positive_whichever_way_the_metric_points():
    assert relative_drop(2.2, 2.0, False) == pytest.approx(10)  # an error that grew
    assert relative_drop(1.5, 2.0, False) == pytest.approx(-25)
    assert relative_drop(0.6, 0.8, True) == pytest.approx(25)  # an accuracy that fell
    assert relative_drop(-0.1, -0.2, True) == pytest.approx(-50)  # R² less negative than the base's: better


def test_arrays_broadcast_seed_by_metric():
    drops = relative_drop([[2.2, 0.6], [1.5, 0.9]], [2.0, 0.8], [False, True])
    assert drops == pytest.approx(np.array([[10, 25], [-25, -12.5]]))


def test_a_base_near_zero_has_no_drop():
    assert np.isnan(relative_drop([0.5, 0.5, 0.5], [0.0, NEAR_ZERO, -NEAR_ZERO], True)).all()
    assert relative_drop(0.5, 2 * NEAR_ZERO, True) == pytest.approx(-100 * (0.5 - 0.002) / 0.002)
    assert np.isnan(relative_drop(0.1, 0.0, False))
    assert relative_drop(3e-9, 2e-9, False) == pytest.approx(50)  # an error in a large unit
    assert relative_drop(1e6, 1.0, False) == pytest.approx(100 * (1e6 - 1))  # a run that failed stays in sight
    assert np.isnan(relative_drop(3e-9, 2e-9, False, scale=1.0))  # with the trivial predictor's error as the scale
    assert np.isnan(relative_drop(np.nan, 1.0, False))


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0.01, 100))
def test_the_unit_does_not_matter(value, base, unit):
    assert relative_drop(value * unit, base * unit, False) == pytest.approx(relative_drop(value, base, False), abs=1e-9)


def test_means_over_metrics_and_over_tasks():
    drops = [np.array([[3.0, 6.0, 9.0], [1.0, np.nan, 2.0]]), np.array([[10.0], [-4.0]])]
    assert delta_m_per_metric(drops) == pytest.approx([28 / 4, -1 / 3])
    assert delta_m_per_task(drops) == pytest.approx([(6 + 10) / 2, (1.5 - 4) / 2])


def test_what_is_left_out_of_the_mean():
    gone = np.array([np.nan, np.nan])
    assert delta_m_per_task([gone, np.array([4.0])]) == 4.0
    assert np.isnan(delta_m_per_task([gone])) and np.isnan(delta_m_per_metric([gone]))
    with pytest.raises(ValueError, match="no tasks"):
        delta_m_per_metric([])
    with pytest.raises(ValueError, match="no tasks"):
        delta_m_per_task([])
