"""Every trunk by the name of its option of the group `model`."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from mtlrun.model.trunks.foreign import ForeignTrunk
from mtlrun.model.trunks.mlp import MlpTrunk
from mtlrun.network.point import PointTrunk
from mtlrun.util.registry import Registry

Trunk = MlpTrunk | PointTrunk | ForeignTrunk

# From the settings of R runs, their seeds, and the number of inputs.
TRUNKS: dict[str, Callable[[Sequence[Any], Sequence[int], int], Trunk]] = {
    "mlp": lambda configs, seeds, inputs: MlpTrunk(configs[0], seeds, inputs),
    "point": lambda configs, seeds, inputs: PointTrunk([c.start for c in configs], inputs),
}
MODULES: Registry[type[nn.Module]] = Registry("model", {}, nn.Module)  # of packages, for one run


def make_trunk(configs: Sequence[Any], seeds: Sequence[int], inputs: int) -> Trunk:
    """The trunk of a stack. `configs`: the runs' settings of the group `model`, which differ in per-run ones only."""
    name = configs[0].name
    if name in TRUNKS:
        return TRUNKS[name](configs, seeds, inputs)
    return ForeignTrunk(MODULES[name], configs[0], seeds, inputs)
