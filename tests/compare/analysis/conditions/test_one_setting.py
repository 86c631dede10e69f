"""Rows that are several settings."""

from claims import compared, missing, whole
from folders import Outputs


def test_several_settings_in_one_row_are_named_with_what_tells_them_apart(outputs: Outputs) -> None:
    whole(outputs)
    outputs.setting("clip", [9.0] * 9, [0.5] * 9, flat={"loss": "uncertainty", "trainer.clip": 1.0}, sweep="s")
    finding = missing(compared(outputs, by=("loss", "model")))["a seed twice in one row"]
    assert finding.text.startswith("loss=uncertainty model=mlp model.hidden=[64,64]: its runs differ in trainer.clip, ")
    assert finding.command == f"mtlrun compare {outputs.root} --by loss,model,trainer.clip"


def test_single_task_nets_that_differ_in_more_than_their_tasks(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2)
    for seed in range(2):
        outputs.run(f"a{seed}", {"a": 10 + seed}, seed, flat={"lr.base": 0.01, "loss.weights.a": 3})
        outputs.run(f"b{seed}", {"b": 0.5}, seed, flat={"model.hidden": [8]})
    text = missing(compared(outputs))["unlike single-task nets"].text
    assert text == (
        "alone: single-task nets differ between tasks: lr.base: 0.01 for a, 0.001 for b; "
        "model.hidden: [64,64] for a, [8] for b"
    )
    assert "lr.base" not in missing(compared(outputs, tune=("lr.base",)))["unlike single-task nets"].text
