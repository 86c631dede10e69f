"""`arms=baselines`: what any strategy should be held against."""

from mtlrun.compose.plans.base import Arm, PlanRequest
from mtlrun.compose.plans.budget import alone_and_together
from mtlrun.compose.plans.reading import Reading
from mtlrun.compose.plans.sizes import parameters, widths

LINE = "0.03,0.1,0.3,3,10,30"  # two tasks: the ratio of their weights, around the plain sum's 1
EACH = "0.1,3,10"  # more tasks: each one's weight in turn, the others' at 1

READING = Reading(tune={"fixed weights": ("loss.weights",)})  # a grid is one method, its weights chosen on val


def baselines(request: PlanRequest) -> list[Arm]:
    """The plain sum; single-task nets, as wide as asked for and so narrow that together they have about the shared
    net's parameters; gradient boosting; learnt uncertainty; a grid of fixed weights.

    Where tasks have labels in different rows, all nets take equally many steps.
    """
    weighted = [name for name, task in request.config.active.items() if not task.adversarial]
    grid = {name: LINE if len(weighted) == 2 else EACH for name in weighted[: 1 if len(weighted) == 2 else None]}
    budget = alone_and_together(request)
    arms: list[Arm] = [{"label": "plain sum", "loss": "sum"} | budget]
    arms.append({"label": "alone"} | request.alone(request.main) | budget)
    if len(request.tasks) > 1:
        arms += [arm | budget for arm in matched(request)]
    arms.append({"label": "boosting", "model": "boosting", "loss": "sum"})
    arms.append({"label": "uncertainty", "loss": "uncertainty"} | budget)
    if len(weighted) > 1:
        fixed: Arm = {"label": "fixed weights", "loss": "fixed"} | budget
        arms += [fixed | {f"loss.weights.{name}": values} for name, values in grid.items()]
    return arms


def matched(request: PlanRequest) -> list[Arm]:
    """Single-task nets that together have about as many parameters as the shared net; none where no layer can be
    narrowed."""
    target = parameters(request, request.tasks)
    narrower, total = widths(request, [[task] for task in request.main], target)
    if not narrower:
        request.notes.append("alone, width-matched: left out, as no layer is hidden and could be narrower")
        return []
    words = " ".join(f"{key}={value}".replace(" ", "") for key, value in narrower.items())
    request.notes.append(
        f"alone, width-matched: {words}, {total:,} parameters in {len(request.main)} nets; "
        f"the shared net has {target:,}"
    )
    return [{"label": "alone, width-matched"} | request.alone(request.main) | narrower]
