"""A loss strategy."""

import torch
from torch import Tensor

from mtlrun.loss import StepInputs, Strategy, StrategySetup


class Halves(Strategy):
    """Constant weights `[R, T]`: `loss.first` for the first task, (1 − first)/(T − 1) for each of the others."""

    constant: Tensor

    def __init__(self, members: StrategySetup) -> None:
        super().__init__(members)
        first, others = members.values("first"), len(members.tasks) - 1  # [R, 1]
        constant = torch.cat([first, ((1 - first) / max(others, 1)).expand(-1, others)], 1)
        self.register_buffer("constant", constant, persistent=False)

    def weights(self, seen: StepInputs) -> Tensor:
        return self.constant
