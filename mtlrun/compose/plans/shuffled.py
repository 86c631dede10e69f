"""`arms=shuffled`: do auxiliary tasks help by the information in their labels? The control of Caruana (1997)."""

from collections.abc import Mapping

from mtlrun.compose.plans.base import Arm, PlanRequest
from mtlrun.compose.plans.budget import equal_budget
from mtlrun.compose.plans.reading import Contrast, Reading, Word

TOGETHER, SHUFFLED, ALONE = "with auxiliary tasks", "auxiliary labels shuffled", "alone"
TRANSFER = (
    Contrast("auxiliary tasks against none", ALONE, TOGETHER),
    Contrast("what the auxiliary labels say", SHUFFLED, TOGETHER),
)


def answer(found: Mapping[str, Word]) -> str:
    """The plan's answer. There is transfer if the auxiliary tasks are better than none and better than shuffled."""
    over_alone, over_shuffled = (found.get(contrast.name) for contrast in TRANSFER)
    if over_alone == "loss":
        return "The auxiliary tasks do harm: worse than alone."
    if over_alone != "gain":
        return "No transfer may be claimed: not shown to be better than alone."
    if over_shuffled == "gain":
        return "There is transfer: better than alone, and than with shuffled labels."
    return "No transfer may be claimed: better than alone, not than with shuffled labels."


READING = Reading(TRANSFER, answer, reference=ALONE)


def shuffled(request: PlanRequest) -> list[Arm]:
    """The focus alone; with the other tasks as auxiliary tasks; with the auxiliary labels shuffled among the rows."""
    budget = auxiliary_budget(request)
    arms = [
        {"label": ALONE} | request.as_auxiliary() | request.alone([request.focus]),
        with_auxiliary(request),
        control(request),
    ]
    return [arm | budget for arm in arms]


def auxiliary_budget(request: PlanRequest) -> Arm:
    """Settings with which the focus takes as many steps alone as with the others, although these have other rows."""
    return equal_budget(request, [[request.focus], [request.focus, *request.others]])


def with_auxiliary(request: PlanRequest) -> Arm:
    """The focus with the other tasks as auxiliary tasks."""
    return {"label": TOGETHER, "only": [request.focus, *request.others]} | request.as_auxiliary()


def control(request: PlanRequest) -> Arm:
    """The same as `with_auxiliary`, but with the training labels of the auxiliary tasks shuffled."""
    arm = with_auxiliary(request) | {f"tasks.{task}.shuffle": True for task in request.others}
    return arm | {"label": SHUFFLED}
