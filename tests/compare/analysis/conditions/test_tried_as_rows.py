"""Values that were tried and stand as rows of their own."""

import shlex

from claims import compared, missing, whole
from folders import Outputs


def test_rates_that_stand_as_rows_of_their_own_are_trials_that_test_chose(outputs: Outputs) -> None:
    whole(outputs)
    outputs.setting(
        "fast", [8.0 + 0.01 * s for s in range(9)], [0.6] * 9, sweep="s", flat={"loss": "uncertainty", "lr.base": 0.003}
    )
    found = compared(outputs)
    assert not found.best and found.leader == "loss=uncertainty lr.base=0.003"
    own = missing(found)
    assert own.keys() == {"equal trials", "rate at the edge"}
    assert own["equal trials"].text.startswith("unequal trials: 2 rows differ from ")
    assert own["rate at the edge"].text.startswith("loss=uncertainty lr.base=0.003 leads with the highest lr.base")
    tune = ["mtlrun", "compare", str(outputs.root), "--tune", "lr.base"]
    assert all(shlex.split(finding.command or "") == tune for finding in own.values())
    assert not {"equal trials", "rate at the edge"} - missing(compared(outputs, tune=("lr.base",))).keys()


def test_three_rates_of_every_row_are_chosen_on_val_too(outputs: Outputs) -> None:
    for loss in ("sum", "uncertainty"):
        for rate, a in [(0.001, 10.0), (0.01, 9.0), (0.1, 11.0)]:
            outputs.setting(f"{loss}{rate}", [a, a + 1], [0.5] * 2, flat={"loss": loss, "lr.base": rate})
    own = missing(compared(outputs))
    assert own["rates as rows"].text.startswith("values of lr.base stand as rows of their own")
    assert not {"equal trials", "rate at the edge"} & own.keys()
