"""The trunks by the name of their option of the group `model`."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from mtlrun.config.schema import BareModelConfig
from mtlrun.model.trunks.base import Factors, Noise, Trunk
from mtlrun.model.trunks.foreign import ForeignTrunk
from mtlrun.model.trunks.mlp import MlpTrunk
from mtlrun.model.trunks.tabm import TabmTrunk
from mtlrun.util.errors import RequestError
from mtlrun.util.registry import Registry

TRUNKS: dict[str, Callable[[Sequence[Any], Sequence[int], int], Trunk]] = {
    "mlp": MlpTrunk,
    "tabular": MlpTrunk,
    "tabm": TabmTrunk,
}
MODULES: Registry[type[nn.Module]] = Registry("model", {}, nn.Module)  # of packages: a Trunk, or a module of one run


def make_trunk(configs: Sequence[BareModelConfig], seeds: Sequence[int], inputs: int) -> Trunk:
    """The trunk of a stack. `configs`: the runs' settings of the group `model`, which differ in per-run ones only.

    Raises RequestError for a trunk of a package that is not what its settings say.
    """
    config = configs[0]
    if config.name in TRUNKS:
        return TRUNKS[config.name](configs, seeds, inputs)
    made_by = MODULES[config.name]
    if issubclass(made_by, Trunk):
        return _with_widths(made_by(configs, seeds, inputs), config, inputs)
    if config.over_runs:
        raise RequestError(
            f"model={config.name}: its settings say over_runs, and {made_by.__name__} is no mtlrun.model.trunks.Trunk\n"
            "mend the package"
        )
    return ForeignTrunk(made_by, config, seeds, inputs)


def _with_widths(trunk: Trunk, config: BareModelConfig, inputs: int) -> Trunk:
    """The trunk itself. Raises RequestError unless its widths are those of `config.net`."""
    expected = [inputs, *config.net.hidden]
    if list(trunk.widths) != expected:
        raise RequestError(
            f"model={config.name}: its trunk has the widths {list(trunk.widths)}, and its settings say {expected}\n"
            "mend the package"
        )
    return trunk


__all__ = ["MODULES", "TRUNKS", "Factors", "Noise", "Trunk", "make_trunk"]
