"""Every trunk by the name of its option of the group `model`."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from mtlrun.model.trunks.base import Factors, Noise, Trunk
from mtlrun.model.trunks.foreign import ForeignTrunk
from mtlrun.model.trunks.mlp import MlpTrunk
from mtlrun.model.trunks.point import PointTrunk
from mtlrun.util.registry import Registry

TRUNKS: dict[str, Callable[[Sequence[Any], Sequence[int], int], Trunk]] = {"mlp": MlpTrunk, "point": PointTrunk}
MODULES: Registry[type[nn.Module]] = Registry("model", {}, nn.Module)  # of packages, for one run


def make_trunk(configs: Sequence[Any], seeds: Sequence[int], inputs: int) -> Trunk:
    """The trunk of a stack. `configs`: the runs' settings of the group `model`, which differ in per-run ones only."""
    name = configs[0].name
    if name in TRUNKS:
        return TRUNKS[name](configs, seeds, inputs)
    return ForeignTrunk(MODULES[name], configs[0], seeds, inputs)


__all__ = ["MODULES", "TRUNKS", "Factors", "Noise", "Trunk", "make_trunk"]
