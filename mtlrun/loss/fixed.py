"""Weights given by hand."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mtlrun.config import FixedLossConfig
from mtlrun.loss.base import Strategy


class Fixed(Strategy):
    r""":math:`\sum_t w_t L_t`, w_t = `loss.weights.TASK`, 1 where none is given. A weight of 0: no gradient."""

    fixed: Tensor

    def __init__(self, configs: Sequence[FixedLossConfig], tasks: Sequence[str],
                 noise: Sequence[tuple[float, float]]) -> None:  # fmt: skip
        super().__init__(configs, tasks, noise)
        rows = [[float(c.weights.get(t, 1.0)) for t in tasks] for c in configs]
        self.register_buffer("fixed", torch.tensor(rows), persistent=False)

    def weights(self, losses: Tensor, present: Tensor | None) -> Tensor:
        return self.fixed
