"""Rules about objectives: they need model=point and allow no settings that read labels or heads."""

from collections.abc import Sequence

from mtlrun.config.schema import Config, PointConfig
from mtlrun.config.schema.loss import LossConfig, MgdaLossConfig
from mtlrun.tasks.toy_objectives import COORDINATES
from mtlrun.util.errors import RequestError


def point(config: Config) -> None:
    """Objectives are used with model=point and the reverse. No setting reads labels or heads."""
    active = config.active
    objectives = [name for name, task in active.items() if task.declared is not None and task.declared.of_a_point]
    others = [name for name in active if name not in objectives]
    if config.point is None:
        if objectives:
            raise RequestError(
                f"tasks.{objectives[0]}.type: objective, a function of a point, and model is "
                f"{config.model.name}\nset it: model=point"
            )
        return
    if others:
        raise RequestError(
            f"model=point: has no heads, and {others[0]} is no objective\n"
            f"set tasks.{others[0]}.type=objective, or model=mlp"
        )
    _no_heads(config, config.point)
    _losses_below_0(config.loss, objectives)


def _no_heads(config: Config, point: PointConfig) -> None:
    if len(point.start) != COORDINATES:
        raise RequestError(
            f"model.start: found {point.start}, and the objectives are functions of "
            f"{COORDINATES} numbers\nallowed: model.start=[9.0,9.0]"
        )
    if config.trainer.select != "last":
        raise RequestError(
            f"trainer.select: found {config.trainer.select}, which is about predictions, and "
            "model=point predicts nothing\nset it: trainer.select=last"
        )
    if config.graph.has_edges:
        raise RequestError("graph: model=point has no heads that could read an estimate\nset it: graph=none")


def _losses_below_0(loss: LossConfig, objectives: Sequence[str]) -> None:
    """Raises RequestError for a strategy for which a loss below 0 has no meaning."""
    if isinstance(loss, MgdaLossConfig) and loss.divides_by_losses:
        raise RequestError(
            f"loss.normalize: {loss.normalize} has no meaning for a loss below 0, and {objectives[0]} "
            "is an objective, which may be\nallowed: none, l2"
        )
    for name in objectives:
        if not loss.takes_below_0(name):
            raise RequestError(
                f"loss={loss.name}: has no meaning for a loss below 0, and {name} is an objective, "
                f"which may be\nset {loss.to_take_below_0}loss=sum"
            )
