"""Choices at the edge of their grid, and the commands that go on beyond it."""

import pytest
from claims import compared, missing
from folders import Outputs

from mtlrun.compare.analysis.conditions.grid_edges import end_of, numbers


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
