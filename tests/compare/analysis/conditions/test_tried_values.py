"""Trials of --tune, choices at the edge of their grid, and the commands that go on beyond it."""

import pytest
from claims import compared, missing, whole
from folders import Outputs

from mtlrun.compare.analysis.conditions.tried_values import end_of, numbers
from mtlrun.compare.collect.original_words import read_words


@pytest.mark.parametrize(("a", "leads"), [(9.5, False), (5.0, True)])
def test_a_sweep_of_weights_is_a_baseline_unless_it_leads(outputs: Outputs, a: float, leads: bool) -> None:
    whole(outputs)
    outputs.setting(
        "light",
        [a + 0.01 * s for s in range(9)],
        [0.5] * 9,
        sweep="s",
        flat={"loss": "fixed", "loss.weights.a": 0.01},
        val={"a": 0.1, "b": 0.1},
    )
    for options in ({}, {"tune": ("loss.weights",)}):
        found = compared(outputs, **options)
        conditions = [f.condition for f in found.findings if f.kind == "warning"]
        assert ("equal trials" in missing(found)) is leads
        assert ("trials" if options else "a grid as rows") in conditions or leads
    command = missing(found)["equal trials"].command if leads else None
    assert command is None or command == (
        "mtlrun -m data=houses loss=sum,uncertainty 'seed=range(0,9)' lr.base=0.0001,0.000464,0.00215,0.01"
    )


def test_a_method_with_a_grid_that_others_lack_has_unequal_trials(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2)
    for rate in (0.01, 0.025, 0.1):
        outputs.setting(f"unc{rate}", [9, 10], [0.5] * 2, flat={"loss": "uncertainty", "loss.lr": rate})
    text = missing(compared(outputs, tune=("loss.lr",)))["equal trials"].text
    assert text == "unequal trials: 3 of loss=uncertainty, 1 of loss=sum"


def test_no_command_changes_a_value_that_the_arms_set(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2, sweep="s")
    plan = outputs.root / "s/sweep.json"
    plan.write_text(plan.read_text().replace('"overrides": {', '"overrides": {"lr.base": "0.001", '))
    for words, command in [
        ("'arms=[{lr.base: 0.001}]'", None),
        ("lr.base=0.001", "mtlrun -m seed=0,1 lr.base=0.0003,0.001,0.003"),
    ]:
        (outputs.root / "s/command.txt").write_text(f"mtlrun -m {words} seed=0,1\n")
        read_words.cache_clear()
        found = next(f for f in compared(outputs).findings if f.condition == "rates not tuned")
        assert found.command == command


def test_a_rate_at_the_edge_is_missing_and_the_command_goes_one_step_beyond(outputs: Outputs) -> None:
    for loss, best in (("sum", 0.01), ("uncertainty", 0.003)):
        for rate in (0.001, 0.003, 0.01):
            val = {"a": 0.1 if rate == best else 0.5, "b": 0.5}
            flat = {"loss": loss, "lr.base": rate}
            outputs.setting(f"{loss}{rate}", [10, 11], [0.5] * 2, sweep="s", flat=flat, val=val)
    (outputs.root / "s/command.txt").write_text("mtlrun -m loss=sum,uncertainty lr.base=0.001,0.003,0.01 seed=0,1\n")
    finding = missing(compared(outputs, tune=("lr.base",)))["rate at the edge"]
    assert finding.text == "loss=sum: lr.base=0.01 is the highest that was tried"
    assert finding.command == "mtlrun -m loss=sum,uncertainty seed=0,1 lr.base=0.0333"


@pytest.mark.parametrize(("value", "end"), [(1.0, "lowest"), (10.0, "highest"), (3.0, None), (None, None), (0.0, None)])
def test_ends_of_what_was_tried(value: float | None, end: str | None) -> None:
    assert end_of(value, numbers(["10", "1", "none", "3", "1.0"])) == end
    assert end_of(1.0, [1.0]) is None
