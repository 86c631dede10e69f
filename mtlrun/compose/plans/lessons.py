"""`arms=lessons`: loss strategies × learning rates × edges between tasks, as a full factorial."""

from mtlrun.compose.plans.base import Arm, Base

RATES = {
    "single": {"lr": "single"},
    "per_head": {"lr": "per_head", "lr.trunk": "0.3x", "lr.heads.default": "3x"},
}
EDGES = {
    "no edges": {"graph": "none"},
    "stop": {"graph": "chain", "graph.gradient": "stop"},
    "pass": {"graph": "chain", "graph.gradient": "pass"},
}
FOCUS = 3.0  # the focus counts so many times what its trivial loss would give it


def lessons(base: Base) -> list[Arm]:
    """Strategies sum, fixed, uncertainty × rates single, per head × edges none, chain with gradients stopped, chain
    with gradients passed; and single-task nets with either policy, trunk and head at rates of their own as well.

    The fixed weights are `weights`. Rates per head: the trunk 0.3 times, the heads 3 times `lr.base`.
    Where tasks have labels in different rows, all nets take equally many steps.
    """
    from mtlrun.statistics import seeds_needed

    base.several_tasks()
    found = weights(base)
    base.notes.append("fixed weights: " + ", ".join(f"{task} {weight:g}" for task, weight in found.items()))
    fixed: Arm = {"loss": "fixed"} | {f"loss.weights.{task}": weight for task, weight in found.items()}
    strategies: dict[str, Arm] = {"sum": {"loss": "sum"}, "fixed": fixed, "uncertainty": {"loss": "uncertainty"}}
    effects = sum(len(levels) - 1 for levels in (strategies, RATES, EDGES))
    base.notes.append(f"read as a factorial: {effects} main effects, for which {seeds_needed(effects)} seeds will do")
    lone: Arm = {"graph": "none"} | base.alone(base.main)
    arms: list[Arm] = [
        {"label": "alone"} | lone | RATES["single"],
        {"label": "alone, per_head"} | lone | RATES["per_head"],
    ]
    for strategy, losses in strategies.items():
        for policy, rates in RATES.items():
            for word, edges in EDGES.items():
                label = f"{strategy}, {policy}, {word}"
                arms.append({"label": label} | losses | rates | edges)
    budget = base.equal_budget([*([task] for task in base.main), base.tasks])
    return [arm | budget for arm in arms]


def weights(base: Base) -> dict[str, float]:
    """Weights w_t = T v_t / Σ v, with v_t = 1 / the loss of the trivial predictor on val, and three times that for
    the focus; of the split with seed 0, to three significant digits. They sum to the number of tasks T."""
    from mtlrun.runs.build import build_stack

    figures = build_stack([base.standard], [base.dataset]).trivial["val"][0]
    worth = {task: (FOCUS if task == base.focus else 1.0) / figures[task, "loss"] for task in base.tasks}
    total = sum(worth.values())
    return {task: float(f"{len(worth) * value / total:.3g}") for task, value in worth.items()}
