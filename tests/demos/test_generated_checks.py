"""The small problems of the evidence page are what their formulas say."""

import numpy as np
import pytest

from mtlrun.data.problems import synthetic_table


def test_noise_is_about_two_lines() -> None:
    table = synthetic_table("noise")
    x = np.column_stack([table["x"], np.ones(len(table))])
    for task, slope, level, sigma in (("y1", 2, 8, 10), ("y2", 3, 3, 1)):
        (a, b), (square,), *_ = np.linalg.lstsq(x, table[task].to_numpy(), rcond=None)
        assert (a, b) == pytest.approx((slope, level), abs=4 * sigma / 100)  # four standard errors of 10,000 rows
        assert np.sqrt(square / len(table)) == pytest.approx(sigma, rel=0.03)


def test_flips_have_a_known_share_of_wrong_labels() -> None:
    table = synthetic_table("flips")
    assert table.groupby(["x1", "x2", "x3", "x4"]).size().min() > 3500  # of 60,000 / 16
    for task, one, other, p in (("a", "x1", "x2", 0.2), ("b", "x3", "x4", 0.1)):
        wrong = (table[one] * table[other] > 0) != (table[task] == 1)
        assert wrong.mean() == pytest.approx(p, abs=0.005)


def test_bowls_have_their_lowest_points_at_one() -> None:
    table = synthetic_table("bowls")
    assert (table["x"] == 1).all()
    assert table[["a", "b"]].mean().tolist() == pytest.approx([1, 1]) and table["a"].std() == pytest.approx(
        0.001, rel=0.01
    )


def test_a_family_shares_its_inputs_and_the_stranger_has_others() -> None:
    table = synthetic_table("family")
    tasks, inputs = table[list("abcd")], table.filter(like="x")
    between = tasks.corr()
    assert between.loc["a", "b"] > 0.3 and between.loc["a", "c"] > 0.4 and between.loc["b", "c"] > 0.4
    assert abs(between.loc["d", ["a", "b", "c"]]).max() < 0.03
    of_inputs = np.array([[np.corrcoef(inputs[x], tasks[t])[0, 1] for x in inputs] for t in tasks])
    assert abs(of_inputs[:3, 5:]).max() < 0.03 and abs(of_inputs[3, [*range(5), *range(10, 20)]]).max() < 0.03
    assert abs(of_inputs[:3, :5]).max() > 0.3 and abs(of_inputs[3, 5:10]).max() > 0.3
