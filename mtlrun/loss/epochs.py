"""Mean losses of an epoch."""

import torch
from torch import Tensor, nn

from mtlrun.loss.base import StepInputs, StrategySetup


class EpochMeans(nn.Module):
    """Every task's mean loss over those batches of an epoch that have a label of it; its state is part of a checkpoint.

    Steps count from 0 and every epoch has as many, so that a step's number tells its epoch.
    """

    sums: Tensor
    batches: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__()
        self.steps = setup.epoch_steps
        shape = [len(setup.configs), len(setup.tasks)]
        self.register_buffer("sums", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("batches", torch.zeros(shape))

    def add(self, inputs: StepInputs) -> None:
        """Take in the losses of a step; those of tasks without a label are 0."""
        self.sums.add_(inputs.losses)
        self.batches.add_(1 if inputs.present is None else inputs.present)

    def is_over(self, step: int) -> bool:
        """Whether this step is the first after an epoch."""
        return step > 0 and step % self.steps == 0

    def take(self) -> tuple[Tensor, Tensor]:
        """Means `[R, T]` of what was taken in, and which tasks have one; counts anew from here."""
        means, known = (self.sums / self.batches.clamp_min(1)).to(self.batches), self.batches > 0
        self.sums.zero_()
        self.batches.zero_()
        return means, known
