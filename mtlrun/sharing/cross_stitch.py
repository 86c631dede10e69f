"""Cross-stitch networks."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mtlrun.config.schema.sharing import CrossStitchConfig
from mtlrun.model.trunks import Noise
from mtlrun.sharing.base import Plan, Sharing
from mtlrun.sharing.none import TaskTrunks


class CrossStitch(Sharing):
    """A trunk for each task, whose layers are mixed by learnt stitches (Misra et al., CVPR 2016, eq. 1).

        features of t after layer i = Σ_s α_its h_is    h_is: layer i of the trunk of s, from the features of s before

    α_itt starts at `own` and the others at (1 − own)/(T − 1); for a single task, α is 1. The learning rate of stitches
    is `rate` times the trunk's. All trunks start with the same parameters, because a stitch adds unit k of one trunk to
    unit k of another, and these must correspond (the paper starts from copies of one trained network). The tasks'
    gradients then make the trunks differ. With own = 1 and rate = 0 they are single-task networks.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.tasks, self.trunks = list(plan.tasks), TaskTrunks(plan)
        self.widths = self.trunks.widths
        configs = [config for config in plan.configs if isinstance(config, CrossStitchConfig)]
        self.rates = [config.rate for config in configs]
        count = len(self.tasks)
        begin = torch.stack([_begin(config.own, count) for config in configs])  # [R, T, T]
        self.stitches = nn.ParameterList(nn.Parameter(begin.clone()) for _ in plan.model.hidden)

    def forward(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        """Inputs `[R, B, D]` → the inputs, then each task's stitched features after every layer, `[R, T, B, H]`."""
        features = [x]
        for i, stitches in enumerate(self.stitches, 1):
            h = self.trunks.layer(i, features[-1], noise)
            features.append(torch.bmm(stitches, h.flatten(2)).view(h.shape))
        return features

    def task_axes(self) -> dict[str, tuple[Sequence[str], int]]:
        """The last layer's stitches. All other parameters reach other tasks through them."""
        return {f"stitches.{len(self.stitches) - 1}": (self.tasks, 1)}

    def rate_factors(self) -> Mapping[str, Sequence[float]]:
        return {f"stitches.{i}": self.rates for i in range(len(self.stitches))}

    def figures(self) -> dict[str, Tensor]:
        """`stitch_layer1_a`: weight of a's features after layer 1, for each task."""
        return {
            f"stitch_layer{i}_{task}": stitches[:, :, s].detach()
            for i, stitches in enumerate(self.stitches, 1)
            for s, task in enumerate(self.tasks)
        }

    def describe(self) -> str:
        each = sum(p[0].numel() for p in self.trunks.parameters()) // len(self.tasks)
        return f"{len(self.tasks)} trunks of {each:,} parameters; stitches {sum(p[0].numel() for p in self.stitches):,}"


def _begin(own: float, tasks: int) -> Tensor:
    """Returns the initial stitches `[T, T]`."""
    if tasks == 1:
        return torch.ones(1, 1)
    others = (1 - own) / (tasks - 1)
    return torch.full((tasks, tasks), others).fill_diagonal_(own)
