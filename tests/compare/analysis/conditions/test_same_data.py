"""Runs of different data, splits, versions or code."""

from typing import Any

import pytest
from claims import compared, missing, whole
from folders import Outputs


@pytest.mark.parametrize(
    ("change", "condition", "command"),
    [
        ({"status": "interrupted"}, "unfinished runs", "mtlrun resume {s}"),
        ({"data_hash": "e" * 16}, "different data", "mtlrun -m data=houses 'arms=[{{loss: sum}}]' seed=8"),
        (
            {"versions": {"mtlrun": "9", "torch": "2"}},
            "different versions",
            "mtlrun -m data=houses 'arms=[{{loss: sum}}]' seed=8",
        ),
        (
            {"git": {"commit": "abc", "dirty": False}},
            "different code",
            "mtlrun -m data=houses 'arms=[{{loss: sum}}]' seed=8",
        ),
        ({"split_seed": 5}, "different splits", "mtlrun -m data=houses 'arms=[{{loss: sum}}]' seed=8"),
    ],
)
def test_one_run_that_is_not_like_the_others(
    outputs: Outputs, change: dict[str, Any], condition: str, command: str
) -> None:
    whole(outputs, seeds=8)
    for name, flat in (("sum", {}), ("unc", {"loss": "uncertainty"})):
        outputs.run(f"{name}-8", {"a": 9, "b": 0.5}, 8, flat=flat, sweep="s", **(change if name == "sum" else {}))
    found = missing(compared(outputs))
    assert found[condition].command == command.format(s=outputs.root / "s")
