from typing import Any

import pytest
from folders import Outputs, lines

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect


def found(outputs: Outputs) -> dict[str, str]:
    """The warnings on a training by condition."""
    conditions = ("a weight ran off", "all inputs are off", "ranks of an untrained net")
    findings = analyse(collect([outputs.root]), Options()).findings
    return {finding.condition: finding.text for finding in findings if finding.condition in conditions}


GOOD, BAD = {"a": 10.0, "b": 0.5}, {"a": 20.0, "b": 0.25}  # BAD: the figures of the trivial predictor
CASES: dict[str, tuple[dict[str, float], list[str], str]] = {
    "a weight runs off": (GOOD, lines([2.0, 90.0, 15_000.0], "train,b,weight"), "a weight ran off"),
    "a weight is large": (GOOD, lines([5000.0, 6000.0], "train,b,weight"), ""),  # a loss in a small unit
    "a weight grows": (GOOD, lines([1.0, 200.0], "train,b,weight"), ""),
    "a weight came back": (GOOD, lines([1.0, 15_000.0, 2.0], "train,b,weight"), ""),
    "every input is off": (GOOD, lines([0.5, 1.0], "val,,zeros"), "all inputs are off"),
    "some inputs are off": (GOOD, lines([1.0, 0.9], "val,,zeros"), ""),
    "nothing is learnt": (BAD, lines([1.0, 1.0], "val,,rank_layer1"), "ranks of an untrained net"),
    "a rank of 0": (BAD, lines([1.0, 0.0], "val,,rank_layer1"), "ranks of an untrained net"),
    "rank 1 is learnt": (GOOD, lines([2.0, 1.0], "val,,rank_layer1"), ""),
    "one task is learnt": ({"a": 19.0, "b": 0.2}, lines([2.0, 1.0], "val,,rank_layer1"), ""),
    "rank 2": (BAD, lines([2.0, 2.0], "val,,rank_layer1"), ""),
}


@pytest.mark.parametrize("case", CASES)
def test_a_training_whose_figures_need_care_is_named(case: str, outputs: Outputs) -> None:
    values, curve, condition = CASES[case]
    outputs.run("calm", GOOD)
    given: dict[str, Any] = {"loss": "uncertainty"}
    outputs.run("odd", values, flat=given, curve=curve)
    texts = found(outputs)
    assert list(texts) == ([condition] if condition else [])
    assert all(text.startswith("odd: ") or text.startswith("odd") for text in texts.values())
    if condition == "a weight ran off":
        assert texts[condition].startswith("odd: the weight of b is 15,000 at the end, from 2: ")
