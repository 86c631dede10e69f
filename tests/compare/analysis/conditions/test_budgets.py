"""Epochs and steps that are not those of the others."""

from claims import compared, missing
from folders import Outputs


def test_nets_that_train_longer_are_no_fair_comparison(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2, sweep="s")
    outputs.setting("fix", [10, 11], [0.5] * 2, sweep="s", flat={"loss": "fixed"})
    outputs.setting("unc", [9, 10], [0.5] * 2, flat={"loss": "uncertainty", "trainer.epochs": 300}, sweep="t")
    (outputs.root / "t/command.txt").write_text("mtlrun -m loss=uncertainty trainer.epochs=300 seed=0,1\n")
    finding = missing(compared(outputs))["equal budget"]
    assert finding.text.endswith(" is trained with trainer.epochs=300 instead of 3")
    assert finding.command == "mtlrun -m loss=uncertainty seed=0,1 trainer.epochs=3"
    assert "equal budget" not in missing(compared(outputs, tune=("trainer.epochs",)))


def test_steps_that_differ_by_more_than_half_are_named(outputs: Outputs) -> None:
    outputs.alone([10, 11], [0.5] * 2, sweep="s", steps=6)
    outputs.setting("sum", [10, 11], [0.5] * 2, sweep="s", steps=38)
    outputs.setting("boost", [10, 11], [0.5] * 2, sweep="s", steps=500, flat={"model": "boosting"})
    (outputs.root / "s/command.txt").write_text("mtlrun -m 'only=[a],[b],[a,b]' seed=0,1\n")
    finding = next(f for f in compared(outputs).findings if f.condition == "unequal steps")
    assert finding.text.startswith("alone takes 6 steps where loss=sum takes 38")
    assert finding.command == (
        "mtlrun -m 'only=[a],[b],[a,b]' seed=0,1 trainer.max_steps=38 trainer.epochs=38 trainer.patience=null"
    )
