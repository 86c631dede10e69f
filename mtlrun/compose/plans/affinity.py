"""`arms=affinity`: which tasks go together? Every pair of main tasks, beside each alone and all of them."""

from itertools import combinations

from mtlrun.compose.plans.base import Arm, PlanRequest
from mtlrun.compose.plans.budget import equal_budget
from mtlrun.util.errors import RequestError

PAIRS = "pairs"


def affinity(request: PlanRequest) -> list[Arm]:
    """Each main task alone, every pair of main tasks, and all of them together.

    Pairs and all together log the cosines between the tasks' gradients.
    """
    if len(request.main) < 2:
        raise RequestError(
            f"arms: {request.plan} needs two main tasks or more, and there is {request.main[0]} only\n"
            "give another task role main, or train more of them with `only`"
        )
    logged: Arm = {"trainer.log_gradients": True}
    pairs = list(combinations(request.main, 2))
    needed: Arm = {}
    for pair in pairs:
        needed |= request.select(*pair)
    arms: list[Arm] = [{"label": "alone"} | request.alone(request.main)]
    arms.append({"label": PAIRS, "only": ",".join(f"[{a},{b}]" for a, b in pairs)} | needed | logged)
    if len(request.main) > 2:
        arms.append({"label": "all together", "only": request.main} | request.select(*request.main) | logged)
    budget = equal_budget(request, [*([task] for task in request.main), *pairs, request.main])
    return [arm | budget for arm in arms]
