"""Why nothing leads."""

from typing import Any

import pytest
from claims import compared
from folders import Outputs

from mtlrun.compare.analysis.inference import Inference
from mtlrun.compare.records import Finding


def leaders(outputs: Outputs, **options: Any) -> list[Finding]:
    return [f for f in compared(outputs, **options).findings if f.condition == "a clear leader"]


def test_what_is_equivalent_to_the_leader_is_not_offered_more_seeds(outputs: Outputs) -> None:
    outputs.setting("sum", [10 + 0.01 * (-1) ** s for s in range(8)], [0.5] * 8, sweep="s")
    outputs.setting(
        "unc", [10 - 0.01 * (-1) ** s for s in range(8)], [0.5] * 8, sweep="s", flat={"loss": "uncertainty"}
    )
    (finding,) = leaders(outputs)
    assert " is equivalent within 1 % to " in finding.text and finding.command is None


def test_where_splits_share_rows_no_number_of_seeds_may_be_enough(outputs: Outputs) -> None:
    # the difference is 0.5 % of a, ± 5 % by turns: Δm 0.25 ± 2.5 with s = 2.67; 1.96 · s · √(15/70) = 2.43
    noise = [0.5 * (-1) ** s for s in range(8)]
    for seed, e in enumerate(noise):
        outputs.run(f"sum-{seed}", {"a": 10.0, "b": 0.5}, seed, split_seed=None, sweep="s")
        outputs.run(
            f"unc-{seed}", {"a": 9.95 + e, "b": 0.5}, seed, split_seed=None, sweep="s", flat={"loss": "uncertainty"}
        )
    (finding,) = leaders(outputs)
    assert "no number of seeds would do it, because their splits share rows" in finding.text
    assert finding.command is None
    assert Inference(True, 15 / 70).limited([2.43 + e for e in (-2.5, 2.5) * 4]) is False
    assert Inference(True, 15 / 70).limited([2.42 + e for e in (-2.5, 2.5) * 4]) is True
    assert not Inference(False, None).limited([0.0, 1.0])


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_confirmation_is_not_repeated_until_one_pleases(outputs: Outputs, confirmed: bool) -> None:
    noise = [0.5 * (-1) ** s for s in range(8)]
    outputs.setting("sum", [10.0] * 8, [0.5] * 8, sweep="s")
    outputs.setting("unc", [9.8 + e for e in noise], [0.5] * 8, flat={"loss": "uncertainty"}, sweep="s")
    words = "compare outputs/first --tune lr.base --confirm" if confirmed else "-m loss=sum,uncertainty 'seed=range(8)'"
    (outputs.root / "s/command.txt").write_text(f"mtlrun {words}\n")
    (finding,) = leaders(outputs)
    assert finding.text.startswith("loss=uncertainty cannot be told apart from loss=sum: ")
    if confirmed:
        assert "the confirmation leaves it open, and training further ones" in finding.text and finding.command is None
    else:
        assert "more seeds may decide it; then compare both" in finding.text
        assert finding.command == "mtlrun -m loss=sum,uncertainty 'seed=range(8,16)'"
