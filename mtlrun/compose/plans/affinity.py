"""`arms=affinity`: which tasks go together? Every pair of main tasks, beside each alone and all of them."""

from itertools import combinations

from mtlrun.compose.plans.base import Arm, Base
from mtlrun.util.errors import RequestError

PAIRS = "pairs"


def affinity(base: Base) -> list[Arm]:
    """Each main task alone, every pair of them, and all together; pairs and all with the cosines of the tasks'
    gradients logged."""
    if len(base.main) < 2:
        raise RequestError(
            f"arms: {base.plan} needs two main tasks or more, and there is {base.main[0]} only\n"
            "give another task role main, or train more of them with `only`"
        )
    logged: Arm = {"trainer.log_gradients": True}
    pairs = list(combinations(base.main, 2))
    needed: Arm = {}
    for pair in pairs:
        needed |= base.select(*pair)
    arms: list[Arm] = [{"label": "alone"} | base.alone(base.main)]
    arms.append({"label": PAIRS, "only": ",".join(f"[{a},{b}]" for a, b in pairs)} | needed | logged)
    if len(base.main) > 2:
        arms.append({"label": "all together", "only": base.main} | base.select(*base.main) | logged)
    budget = base.equal_budget([*([task] for task in base.main), *pairs, base.main])
    return [arm | budget for arm in arms]
