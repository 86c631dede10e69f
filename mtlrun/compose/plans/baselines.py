"""`arms=baselines`: the baselines that any strategy should be compared with."""

from mtlrun.compose.plans.base import Arm, PlanRequest
from mtlrun.compose.plans.budget import alone_and_together
from mtlrun.compose.plans.reading import Reading
from mtlrun.compose.plans.sizes import parameters, widths

LINE = "0.03,0.1,0.3,3,10,30"  # for two tasks: the ratio of their weights; the plain sum has 1
EACH = "0.1,3,10"  # for more tasks: the weight of one task at a time; the others have 1

READING = Reading(tune={"fixed weights": ("loss.weights",)})  # the grid is one method, whose weights are chosen on val


def baselines(request: PlanRequest) -> list[Arm]:
    """The plain sum, single-task nets, gradient boosting, learnt uncertainty, and a grid of fixed weights.

    The single-task nets come in two widths: as requested, and narrower, so that all of them together have about as many
    parameters as the shared net. If tasks have labels in different rows, all nets take the same number of steps.
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
    """Single-task nets that together have about as many parameters as the shared net.

    An empty list, and a note, if there is no hidden layer that could be narrower.
    """
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
