"""Figures that had a part in what was chosen."""

import shlex

from claims import compared, missing, whole
from folders import Outputs


def test_choosing_on_the_reported_seeds_asks_for_confirmation(outputs: Outputs) -> None:
    whole(outputs)
    assert "fresh seeds" not in missing(compared(outputs, tune=("lr.base",))), "one rate each: nothing was chosen"
    for loss in ("sum", "uncertainty"):
        outputs.setting(f"slow-{loss}", [12.0] * 9, [0.5] * 9, flat={"loss": loss, "lr.base": 0.0003}, sweep="s")
    command = missing(compared(outputs, tune=("lr.base",)))["fresh seeds"].command
    assert command is not None and shlex.split(command) == [
        "mtlrun",
        "compare",
        str(outputs.root),
        "--tune",
        "lr.base",
        "--confirm",
    ]


def test_figures_of_val_and_no_trivial_predictor_keep_best_away(outputs: Outputs) -> None:
    whole(outputs)
    own = missing(compared(outputs, split="val"))
    assert own.keys() == {"test figures"}
    assert own["test figures"].command == f"mtlrun compare {outputs.root}"
    for path in outputs.root.glob("s/*/summary.json"):
        path.write_text(path.read_text().replace('"trivial"', '"trifling"'))
    assert missing(compared(outputs)).keys() == {"trivial predictor"}
