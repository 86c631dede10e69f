"""Lines over steps, against figures worked out by hand."""

import math

import pytest
from claims import compared
from folders import Outputs, lines


def test_curves_are_means_with_t_bands_over_the_steps_that_half_the_seeds_reach(outputs: Outputs) -> None:
    for seed, values in enumerate([[16.0, 12.0, 8.0, 4.0], [18.0, 12.0], [20.0, 12.0, 11.0]]):
        weights = lines([0.1 * (seed + 1), 0.5], "train,a,weight") + lines([1.0] * 2, "train,b,weight")
        weights += lines([30.0 + seed, 20.0], "train,a,sigma")
        outputs.run(f"s{seed}", {"a": 10, "b": 0.5}, seed, curve=lines(values) + weights)
    found = {(s.what, s.task, s.metric): s for s in compared(outputs).series}
    curve = found["curve", "a", "rmse"]
    assert (list(curve.x), list(curve.mean), curve.n) == ([10, 20, 30], [18.0, 12.0, 9.5], 3)
    half = 4.302652730 * 2 / math.sqrt(3)  # t(2) at .975
    assert curve.high[0] - 18 == pytest.approx(half) and 18 - curve.low[0] == pytest.approx(half)
    assert curve.high[1] == 12.0
    assert curve.high[2] - 9.5 == pytest.approx(12.70620474 * 1.5)  # two seeds: s/√2 is 1.5
    assert found["weight", "a", "weight"].mean == pytest.approx([0.2, 0.5])
    assert found["sigma", "a", "sigma"].mean == pytest.approx([31.0, 20.0])
    assert ("weight", "b", "weight") not in found, "a flat line, which the settings say"


def test_iterations_of_boosting_are_no_steps(outputs: Outputs) -> None:
    for name, flat in (("sum", {}), ("boost", {"model": "boosting"})):
        outputs.run(name, {"a": 10, "b": 0.5}, flat=flat, curve=lines([15.0, 10.0]))
    found = compared(outputs)
    assert {s.label for s in found.series} == {s.label for s in found.speeds} == {"loss=sum"}
