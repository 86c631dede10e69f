"""The numbers of parameters of a plan's nets, and the layer widths that give a net a target number."""

import math
from collections.abc import Sequence
from dataclasses import replace

from mtlrun.compose.plans.base import Arm, PlanRequest
from mtlrun.engine import memory
from mtlrun.tasks import TYPES


def parameters(request: PlanRequest, tasks: Sequence[str], scale: float = 1.0) -> int:
    """The number of parameters of a net of these tasks, with every hidden layer `scale` times as wide.

    Edges between tasks do not count.
    """
    model, dataset = request.config.net, request.dataset
    sized = replace(model, hidden=_scaled(model.hidden, scale), head_hidden=_scaled(model.head_hidden, scale))
    classes = dataset.classes()
    outputs = sum(TYPES[dataset.targets[t].type].outputs(classes[t]) for t in tasks)
    config = replace(request.config, only=list(tasks), model=sized)
    return memory.parameters(config, dataset.spec.width_in(model), outputs)


def widths(request: PlanRequest, nets: Sequence[Sequence[str]], target: int) -> tuple[Arm, int]:
    """Widths of hidden layers with which the nets have about `target` parameters in all; and that number.

    All layers are scaled by the same factor. The widths are {} if there is no hidden layer. `nets`: the tasks of each
    """
    model = request.config.net

    def total(scale: float) -> int:
        return sum(parameters(request, tasks, scale) for tasks in nets)

    if not [*model.hidden, *model.head_hidden]:
        return {}, total(1.0)
    low, high = 1e-3, 1.0
    while total(high) < target:
        high *= 2
    for _ in range(40):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if total(middle) < target else (low, middle)
    scale = min((low, high), key=lambda s: abs(total(s) - target))
    return scaled(request, scale), total(scale)


def scaled(request: PlanRequest, scale: float) -> Arm:
    """Settings with every hidden layer `scale` times as wide, with at least one unit."""
    model = request.config.net
    layers: Arm = {
        "model.hidden": _scaled(model.hidden, scale),
        "model.head_hidden": _scaled(model.head_hidden, scale),
    }
    return {key: value for key, value in layers.items() if value}


def _scaled(widths: Sequence[int], scale: float) -> list[int]:
    return [max(1, round(scale * width)) for width in widths]
