"""Weights given by hand."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, Strategy, StrategySetup


class Fixed(Strategy):
    r""":math:`\sum_t w_t L_t`, w_t = `loss.weights.TASK`, 1 where none is given. A weight of 0: no gradient."""

    fixed: Tensor

    def __init__(self, members: StrategySetup) -> None:
        super().__init__(members)
        rows = [[float(c.weights.get(t, 1.0)) for t in members.tasks] for c in members.configs]
        self.register_buffer("fixed", torch.tensor(rows), persistent=False)

    def weights(self, seen: StepInputs) -> Tensor:
        return self.fixed
