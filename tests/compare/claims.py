"""Folders of runs compared, and what keeps the word best from being printed of them."""

from typing import Any

from folders import Outputs

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.records import Comparison, Finding


def compared(outputs: Outputs, **options: Any) -> Comparison:
    return analyse(collect([outputs.root]), Options(**options))


def missing(comparison: Comparison) -> dict[str, Finding]:
    return {finding.condition: finding for finding in comparison.findings if finding.kind == "missing"}


def whole(outputs: Outputs, seeds: int = 9) -> None:
    """Everything that a claim needs: uncertainty is 10 % better than all others in both tasks, with every seed."""
    base = [10.0 + 0.01 * s for s in range(seeds)]
    b = [0.5] * seeds
    outputs.alone([x * 1.02 for x in base], b, sweep="s")
    outputs.alone([x * 1.03 for x in base], b, "narrow", flat={"model.hidden": [32, 32]}, sweep="s")
    outputs.setting("boost", [x * 1.04 for x in base], b, flat={"model": "boosting"}, sweep="s")
    outputs.setting("sum", base, b, sweep="s")
    for weight in (0.1, 3, 10):
        outputs.setting(
            f"fixed{weight}", [x * 1.01 for x in base], b, sweep="s", flat={"loss": "fixed", "loss.weights.a": weight}
        )
    outputs.setting("unc", [x * 0.9 for x in base], [0.55] * seeds, flat={"loss": "uncertainty"}, sweep="s")
    (outputs.root / "s/command.txt").write_text("mtlrun -m data=houses 'arms=[{loss: sum}]' 'seed=range(9)'\n")
