"""Trunks: features shared by the tasks, layer by layer."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from mtlrun.config import ModelConfig
from mtlrun.model.layers import ACTIVATIONS, Linear

Noise = Callable[[str, Sequence[int]], Tensor]


class MlpTrunk(nn.Module):
    """A multi-layer perceptron. `widths[i]` is the width after layer i; `widths[0]` that of the inputs."""

    def __init__(self, config: ModelConfig, seeds: Sequence[int], inputs: int) -> None:
        super().__init__()
        self.widths = [inputs, *config.hidden]
        self.dropout = config.dropout
        self.activation = ACTIVATIONS[config.activation]
        pairs = zip(self.widths, config.hidden, strict=False)
        self.layers = nn.ModuleList(Linear(seeds, f"trunk.layer{i}", a, b) for i, (a, b) in enumerate(pairs, 1))

    def forward(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        """Inputs `[R, B, D]` → the features after every layer, `[R, B, H]` each; the inputs are layer 0."""
        features = [x]
        for i, layer in enumerate(self.layers, 1):
            h = self.activation(layer(features[-1]))
            if noise is not None and self.dropout:
                h = h * noise(f"trunk.layer{i}", h.shape[1:])
            features.append(h)
        return features
