"""What a trunk inherits: the gradients of all tasks from its features alone."""

import torch
from support import make_config
from torch import Tensor

from mtlrun.model.trunks import Noise, Trunk
from mtlrun.model.trunks.mlp import MlpTrunk

CONFIGS, SEEDS = [make_config(model={"hidden": [6, 5]}).net] * 2, [1, 2]


class Plain(Trunk):
    """The layers of an MLP, with nothing but their features."""

    def __init__(self) -> None:
        super().__init__()
        self.mlp = MlpTrunk(CONFIGS, SEEDS, 4)
        self.widths = self.mlp.widths

    def features(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        return self.mlp.features(x, noise)


def test_gradients_of_tasks_are_those_of_a_trunk_with_a_way_of_its_own() -> None:
    plain, mlp, x = Plain(), MlpTrunk(CONFIGS, SEEDS, 4), torch.randn(2, 7, 4)
    size = sum(p[0].numel() for p in mlp.parameters())
    for layers in ([2], [1, 2], [0, 1], [0]):
        upstream = {layer: torch.randn(2, 3, 7, mlp.widths[layer]) for layer in layers}
        found = []
        for trunk in (plain, mlp):
            tape, out = [], torch.full((2, 3, size), torch.nan)
            with torch.no_grad():
                features = trunk(x, None, tape)
            assert not any(h.requires_grad for h in features)
            trunk.pull_back(tape, {layer: own.clone() for layer, own in upstream.items()}, out)
            found.append(out)
        torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)
