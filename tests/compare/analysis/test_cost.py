"""Time of a step beside the plain sum."""

from typing import Any

import pytest
from claims import compared
from folders import Outputs


def test_time_is_relative_to_the_sum_between_like_stacks_only(outputs: Outputs) -> None:
    def stack(number: int, size: int = 2) -> dict[str, Any]:
        return {"stack": {"id": number, "size": size}, "sweep": "s"}

    outputs.setting("sum", [10, 10], [0.5, 0.6], seconds=3.0, **stack(0))
    outputs.setting("unc", [10, 10], [0.5, 0.6], seconds=4.5, flat={"loss": "uncertainty"}, **stack(1))
    outputs.setting("big", [10, 10], [0.5, 0.6], flat={"loss": "fixed"}, **stack(2, size=3))
    for label, flat in (("x", {"lr": "per_head"}), ("y", {"lr": "per_head", "loss": "uncertainty"})):
        outputs.run(label, {"a": 10, "b": 0.5}, 0, flat=flat, **stack(3))
    cost = {row.label: row.cost for row in compared(outputs).rows if row.cost is not None}
    assert cost["loss=uncertainty lr=single"].relative == pytest.approx(1.5)
    assert cost["loss=sum lr=single"].seconds_per_step == pytest.approx(0.1)
    for label in ("loss=fixed lr=single", "loss=sum lr=per_head"):
        assert cost[label].relative is None and "stacks hold runs of several settings" in cost[label].why


def test_runs_that_are_too_short_are_not_timed_against_each_other(outputs: Outputs) -> None:
    for number, (loss, seconds) in enumerate([("sum", 2.6), ("uncertainty", 2.4), ("fixed", 2.5)]):
        outputs.setting(
            loss, [10, 10], [0.5, 0.6], seconds=seconds, flat={"loss": loss}, sweep="s", stack={"id": number, "size": 2}
        )
    cost = {row.label: row.cost for row in compared(outputs).rows if row.cost is not None}
    assert cost["loss=uncertainty"].relative is None and cost["loss=uncertainty"].why == "too short to be compared"
    assert cost["loss=fixed"].relative == pytest.approx(2.5 / 2.6)  # 5.0 and 5.2 s in all
