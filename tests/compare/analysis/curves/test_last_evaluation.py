"""Conflicts, dead units, gates and stitches at the last evaluation."""

from typing import Any

import pytest
from claims import compared
from folders import Outputs, lines


def test_conflicts_and_dead_units_are_those_of_the_last_evaluation_as_means_over_seeds(outputs: Outputs) -> None:
    for seed, (rate, dead) in enumerate([(0.29, 0.5), (0.31, 0.25)]):
        curve = [
            *lines([0.9, rate], "train,,conflict_rate"),
            *lines([0.0, dead], "val,,dead_layer1"),
            *lines([1.0, 0.75], "val,b,dead_layer2"),
        ]
        outputs.run(f"s{seed}", {"a": 10, "b": 0.5}, seed, curve=curve)
    for task, share in (("a", 0.1), ("b", 0.3)):  # a seed of single-task nets: two runs
        outputs.run(f"alone-{task}", {task: 10.0}, 0, curve=lines([share], "val,,dead_layer1"))
    found = {(d.label, d.task, d.metric): d.estimate for d in compared(outputs).diagnostics}
    assert {key: e.mean for key, e in found.items()} == pytest.approx(
        {
            ("loss=sum", "", "conflict_rate"): 0.3,
            ("loss=sum", "", "dead_layer1"): 0.375,
            ("loss=sum", "b", "dead_layer2"): 0.75,
            ("alone", "", "dead_layer1"): 0.2,
        }
    )
    half = 12.70620474 * 0.01  # t(1) at .975 times the standard error of .29 and .31
    assert found["loss=sum", "", "conflict_rate"].high == pytest.approx(0.3 + half)
    assert found["loss=sum", "", "dead_layer1"].high == 1.0, "a share"


def shares_of(outputs: Outputs, by_seed: list[dict[str, float]]) -> dict[tuple[Any, ...], Any]:
    """Shares by level, reader, what is read and seed, of runs whose last evaluation has these values."""
    for seed, values in enumerate(by_seed):
        curve = [line for name, value in values.items() for line in lines([0.9, value], name)]
        outputs.run(f"s{seed}", {"a": 10, "b": 0.5}, seed, curve=curve)
    found = compared(outputs).shares
    assert {s.label for s in found} == {"loss=sum"}
    return {(s.level, s.reader, s.read, s.seed): s.estimate for s in found}


def test_stitches_and_groups_of_experts_are_means_over_seeds_of_the_last_evaluation(outputs: Outputs) -> None:
    names = {
        "val,b,gate_level2_shared0": ("level 2", "b", "shared", None),
        "val,b,gate_level2_own0": ("level 2", "b", "b: own", None),
        "val,a_own,gate_level1_own0": ("level 1", "a_own", "a_own: own", None),
        "val,,gate_level1_all_shared0": ("level 1", "shared gate", "shared", None),
        "val,,gate_level1_all_a_own_own0": ("level 1", "shared gate", "a_own: own", None),
        "train,b,stitch_layer2_a_own": ("layer 2", "b", "a_own", None),
    }
    found = shares_of(outputs, [{name: 0.1 * i + 0.02 * s for i, name in enumerate(names)} for s in range(2)])
    expected = {name: 0.1 * i + 0.01 for i, name in enumerate(names.values())}
    assert {key: e.mean for key, e in found.items()} == pytest.approx(expected)
    assert found["layer 2", "b", "a_own", None].values == pytest.approx({0: 0.5, 1: 0.52})


def test_experts_without_an_order_are_one_seeds_one_by_one_and_a_sum_over_seeds(outputs: Outputs) -> None:
    """Both seeds read one of two shared experts, not the one of the same number: their means would be .4 and .4."""
    found = shares_of(
        outputs,
        [
            {"val,a,gate_shared0": 0.7, "val,a,gate_shared1": 0.1, "val,a,gate_own0": 0.2},
            {"val,a,gate_shared0": 0.1, "val,a,gate_shared1": 0.5, "val,a,gate_own0": 0.4},
        ],
    )
    assert {key: e.mean for key, e in found.items()} == pytest.approx(
        {
            ("", "a", "shared", None): 0.7,
            ("", "a", "a: own", None): 0.3,
            ("", "a", "shared 0", 0): 0.7,
            ("", "a", "shared 1", 0): 0.1,
            ("", "a", "a: own 0", 0): 0.2,
        }
    )
    assert found["", "a", "shared", None].values == pytest.approx({0: 0.8, 1: 0.6})
    assert found["", "a", "shared 1", 0].low is None


def test_experts_that_all_tasks_read_are_shown_of_the_first_seed(outputs: Outputs) -> None:
    found = shares_of(
        outputs,
        [
            {"val,a,gate_expert0": 0.9, "val,a,gate_expert1": 0.1},
            {"val,a,gate_expert0": 0.2, "val,a,gate_expert1": 0.8},
        ],
    )
    assert {key: e.mean for key, e in found.items()} == {("", "a", "expert 0", 0): 0.9, ("", "a", "expert 1", 0): 0.1}
