"""A loss strategy."""

import torch
from torch import Tensor

from mtlrun.loss import StepInputs, Strategy, StrategySetup


class Halves(Strategy):
    """Constant weights `[R, T]`: `loss.first` for the first task, (1 − first)/(T − 1) for each of the others."""

    constant: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        first, others = setup.values("first"), len(setup.tasks) - 1  # [R, 1]
        constant = torch.cat([first, ((1 - first) / max(others, 1)).expand(-1, others)], 1)
        self.register_buffer("constant", constant, persistent=False)

    def weights(self, inputs: StepInputs) -> Tensor:
        return self.constant
