"""`arms=shuffled`: do auxiliary tasks help by what their labels say? Caruana (1997) shuffled them to find out."""

from collections.abc import Mapping

from mtlrun.compose.plans.base import Arm, Base
from mtlrun.compose.plans.reading import Contrast, Reading, Word

TOGETHER, SHUFFLED, ALONE = "with auxiliary tasks", "auxiliary labels shuffled", "alone"
TRANSFER = (
    Contrast("auxiliary tasks against none", ALONE, TOGETHER),
    Contrast("what the auxiliary labels say", SHUFFLED, TOGETHER),
)


def answer(found: Mapping[str, Word]) -> str:
    """Transfer is what is better than alone and better than shuffled."""
    over_alone, over_shuffled = (found.get(contrast.name) for contrast in TRANSFER)
    if over_alone == "loss":
        return "The auxiliary tasks do harm: worse than alone."
    if over_alone != "gain":
        return "No transfer may be claimed: not shown to be better than alone."
    if over_shuffled == "gain":
        return "There is transfer: better than alone, and than with shuffled labels."
    return "No transfer may be claimed: better than alone, not than with shuffled labels."


READING = Reading(TRANSFER, answer, reference=ALONE)


def shuffled(base: Base) -> list[Arm]:
    """The focus alone; with the other tasks as auxiliary ones; with those tasks' labels shuffled among the rows."""
    budget = equal_budget(base)
    arms = [{"label": ALONE} | base.as_auxiliary() | base.alone([base.focus]), with_auxiliary(base), control(base)]
    return [arm | budget for arm in arms]


def equal_budget(base: Base) -> Arm:
    """What gives the focus as many steps alone as with the others, whose labels may be in further rows."""
    return base.equal_budget([[base.focus], [base.focus, *base.others]])


def with_auxiliary(base: Base) -> Arm:
    """The focus with the other tasks as auxiliary ones."""
    return {"label": TOGETHER, "only": [base.focus, *base.others]} | base.as_auxiliary()


def control(base: Base) -> Arm:
    """As `with_auxiliary`, with the auxiliary tasks' training labels shuffled."""
    arm = with_auxiliary(base) | {f"tasks.{task}.shuffle": True for task in base.others}
    return arm | {"label": SHUFFLED}
