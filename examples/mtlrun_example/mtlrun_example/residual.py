"""A trunk, as an ordinary module of one run."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from mtlrun_example.extension import ResidualConfig


class Residual(nn.Module):
    """A linear layer and, from the second layer on, blocks h + relu(W h) (He et al. 2016), times `shrink`."""

    def __init__(self, config: ResidualConfig, inputs: int) -> None:
        super().__init__()
        widths = [inputs, *config.hidden]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.shrink = config.shrink

    def forward(self, x: Tensor) -> list[Tensor]:
        """Inputs `[B, inputs]` → the features after every layer, `[B, H]` each."""
        features: list[Tensor] = []
        for layer in self.layers:
            read = features[-1] if features else x
            h = torch.relu(layer(read))
            features.append((read + h) * self.shrink if read.shape == h.shape else h)
        return features
