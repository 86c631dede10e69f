"""A sharing scheme. Unlike a trunk it has the run axis R in front."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlrun.model.trunks import Noise
from mtlrun.sharing import Plan, Sharing


class Gated(Sharing):
    """One trunk for all tasks, whose last features are multiplied by 2·sigmoid(a), with a learnt; a = 0 at first, so
    that it begins as hard sharing."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        assert plan.trunk is not None, "mtlrun gives one"
        self.trunk = plan.trunk()
        self.widths = self.trunk.widths
        self.gate = nn.Parameter(torch.zeros(len(plan.seeds), 1, self.widths[-1]))  # [R, 1, H]

    def forward(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        """Inputs `[R, B, D]` → the features after every layer, `[R, B, H]` each, the inputs first."""
        features: Sequence[Tensor] = self.trunk(x, noise)
        return [*features[:-1], features[-1] * 2 * torch.sigmoid(self.gate)]

    def figures(self) -> dict[str, Tensor]:
        """`gate`: the mean of the gates `[R]`, a metric of the rows `train` in metrics.csv."""
        return {"gate": 2 * torch.sigmoid(self.gate.detach()).mean((1, 2))}
