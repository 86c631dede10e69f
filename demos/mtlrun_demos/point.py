"""model=point: a trunk that is a point."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.model.trunks import Factors, Noise, Trunk
from mtlrun_demos.extension import PointConfig


class PointTrunk(Trunk):
    """A point x `[R, 1, D]` of each run, its only parameters. Features are the inputs (layer 0) and, for every row of a
    batch the same, the point (layer 1)."""

    def __init__(self, configs: Sequence[PointConfig], seeds: Sequence[int], inputs: int) -> None:
        super().__init__()
        starts = [config.starts[seed % len(config.starts)] for config, seed in zip(configs, seeds, strict=True)]
        self.widths = [inputs, len(starts[0])]
        self.point = nn.Parameter(torch.tensor([[start] for start in starts]))

    def features(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        """Inputs `[R, B, inputs]` → those and the point `[R, B, D]`."""
        return [x, self.point.expand(-1, x.shape[1], -1)]

    def forward(self, x: Tensor, noise: Noise | None = None, tape: list[Any] | None = None) -> list[Tensor]:
        """As `Trunk.forward`; `pull_back` needs no tape here."""
        return self.features(x)

    @torch.no_grad()
    def pull_back(
        self, tape: Sequence[Any], gradients: Mapping[int, Tensor], out: Tensor, factors: list[Factors] | None = None
    ) -> None:
        """Gradients with respect to the point, `out` `[R, T, D]`, from those of its copies, `[R, T, B, D]` by layer;
        there is nothing to factor."""
        torch.sum(gradients[1], 2, out=out)

    def figures(self) -> dict[str, Tensor]:
        """Its coordinates `[R]`: x1, x2."""
        return {f"x{i}": values for i, values in enumerate(self.point.detach()[:, 0].unbind(1), 1)}
