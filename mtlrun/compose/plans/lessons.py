"""`arms=lessons`: loss strategies × learning rates × edges between tasks, as a full factorial."""

from mtlrun.compose.plans.base import Arm, PlanRequest
from mtlrun.compose.plans.budget import alone_and_together

RATES = {
    "single": {"lr": "single"},
    "per_head": {"lr": "per_head", "lr.trunk": "0.3x", "lr.heads.default": "3x"},
}
EDGES = {
    "no edges": {"graph": "none"},
    "stop": {"graph": "chain", "graph.gradient": "stop"},
    "pass": {"graph": "chain", "graph.gradient": "pass"},
}
FOCUS = 3.0  # factor on the fixed weight of the focus


def lessons(request: PlanRequest) -> list[Arm]:
    """Three strategies × two rate policies × three graphs, and single-task nets with both rate policies.

    Strategies: sum, fixed (weights of `fixed`), uncertainty. Rates: single; per head, with the trunk at 0.3 times and
    the heads at 3 times `lr.base`. Graphs: no edges; a chain with gradients stopped; a chain with gradients passed.
    If tasks have labels in different rows, all nets take the same number of steps.
    """
    request.several_tasks()
    strategies: dict[str, Arm] = {
        "sum": {"loss": "sum"},
        "fixed": fixed(request),
        "uncertainty": {"loss": "uncertainty"},
    }
    single: Arm = {"graph": "none"} | request.alone(request.main)
    arms: list[Arm] = [
        {"label": "alone"} | single | RATES["single"],
        {"label": "alone, per_head"} | single | RATES["per_head"],
    ]
    for strategy, losses in strategies.items():
        for policy, rates in RATES.items():
            for word, edges in EDGES.items():
                label = f"{strategy}, {policy}, {word}"
                arms.append({"label": label} | losses | rates | edges)
    budget = alone_and_together(request)
    return [arm | budget for arm in arms]


def fixed(request: PlanRequest) -> Arm:
    """`loss=fixed` with weights w_t = T v_t / Σ v, to three significant digits. A note gives the weights.

    v_t = 1 / (loss of the trivial predictor on val, split of seed 0), and three times that for the focus. The weights
    sum to the number of tasks T.
    """
    from mtlrun.engine.trivial import trivial_losses  # loads torch

    losses = trivial_losses(request.standard, request.dataset, request.dataset.split.val)
    worth = {task: (FOCUS if task == request.focus else 1.0) / losses[task] for task in request.tasks}
    total = sum(worth.values())
    weights = {task: float(f"{len(worth) * value / total:.3g}") for task, value in worth.items()}
    request.notes.append("fixed weights: " + ", ".join(f"{task} {weight:g}" for task, weight in weights.items()))
    return {"loss": "fixed"} | {f"loss.weights.{task}": weight for task, weight in weights.items()}
