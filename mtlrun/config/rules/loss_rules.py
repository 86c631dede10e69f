"""Rules about the loss strategy and its weights."""

import dataclasses
from collections.abc import Mapping

from mtlrun.config.graph import NOTHING
from mtlrun.config.rules.left_out import of_trained_tasks
from mtlrun.config.schema import Config, GradientLossConfig
from mtlrun.config.schema.loss import FamoLossConfig, MgdaLossConfig
from mtlrun.config.values import typed
from mtlrun.util.errors import RequestError


def lower_bounds(config: Config) -> list[str]:
    """Lower bounds (loss=famo) are one number, or one number per task."""
    loss, notes = config.loss, list[str]()
    if not isinstance(loss, FamoLossConfig):
        return notes
    bounds = {"": loss.lower_bound}
    if isinstance(loss.lower_bound, Mapping):
        kept, notes = of_trained_tasks(config, loss.lower_bound, "loss.lower_bound")
        bounds = {f".{name}": bound for name, bound in kept.items()}
    for name, bound in bounds.items():
        typed(bound, float, f"loss.lower_bound{name}", {})
    return notes


def below_0(config: Config) -> None:
    """The strategy has a meaning for the losses of all tasks, if those of some types may be below 0."""
    loss = config.loss
    for name, task in config.active.items():
        if task.declared is None or not task.declared.below_0:
            continue
        if isinstance(loss, MgdaLossConfig) and loss.divides_by_losses:
            raise RequestError(
                f"loss.normalize: {loss.normalize} has no meaning for a loss below 0, and that of {name} "
                f"({task.type}) may be\nallowed: none, l2"
            )
        if not loss.takes_below_0(name):
            raise RequestError(
                f"loss={loss.name}: has no meaning for a loss below 0, and that of {name} ({task.type}) may be\n"
                f"set {loss.to_take_below_0}loss=sum"
            )


def weights(config: Config) -> list[str]:
    """Weights are numbers of at least 0, and at least one is above 0."""
    kept, notes = of_trained_tasks(config, config.loss.weights, "loss.weights")
    numbers = {n: typed(w, float, f"loss.weights.{n}", {"at_least": 0.0}) for n, w in kept.items()}
    if numbers and all(numbers.get(task, 1.0) == 0 for task in config.active):
        raise RequestError("loss.weights: every task has weight 0\nallowed: at least one weight above 0")
    return notes


def refused_values(config: Config) -> None:
    """Settings have a meaning for the strategy: `refuses` lists the values that have none."""
    loss = config.loss
    for (key, value), why in loss.refuses.items():
        if getattr(loss, key) == value:
            default = next(f.default for f in dataclasses.fields(loss) if f.name == key)
            raise RequestError(
                f"loss.{key}: {value} has no meaning with loss={loss.name}, as {why}\nallowed: {default}"
            )


def every_head_learns(config: Config) -> None:
    """With loss.heads=weighted the gradient of every task reaches shared parts: otherwise its head gets no weight."""
    loss, graph = config.loss, config.task_graph
    if not (isinstance(loss, GradientLossConfig) and loss.heads == "weighted" and loss.weighs_by_gradient):
        return
    for task, edge in graph.trunk.items():
        held = graph.constants.get(task, ())
        passing = [e for e in graph.into(task) if e.gradient.scale != 0 and e.source not in held]
        # a gradient through estimates may also reach the trunk, but it is only certain to reach the source's head
        through_heads = loss.at == "parameters" and any(f"heads.{e.source}" not in held for e in passing)
        reads = edge.at != NOTHING and edge.gradient.scale != 0 and f"layer{edge.at}" not in held
        if not (reads and "trunk" not in held) and not through_heads:
            raise RequestError(
                f"loss.heads: weighted, and loss={loss.name} gives no weight to {task}, whose gradient "
                "does not reach the trunk: its head would not learn\n"
                "set it: loss.heads=own"
            )
