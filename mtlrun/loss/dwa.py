"""Dynamic weight average."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, Strategy, StrategySetup
from mtlrun.loss.parts import EpochMeans, floored, softmax


class Dwa(Strategy):
    r"""Dynamic weight average (Liu, Johns & Davison, CVPR 2019, eq. 7).

    .. math:: w_t = n\, \mathrm{softmax}_t(r / \tau), \qquad r_t = \bar L_t(k-1) / \bar L_t(k-2)

    in epoch k. The L̄ are the mean losses of the two epochs before it; τ = `loss.temperature` is 2 in the paper. In the
    first two epochs every weight is 1. The weights sum to the number of tasks n.

    Changed from the paper: n and the softmax count the tasks that have a label in the batch. L̄ is the mean over the
    batches of an epoch that have a label of the task. A task without a label in a whole epoch keeps its last mean and
    its r; its next mean is compared with that last one. r is 1 until a task has two means. Means below 1e-12 count as
    1e-12.
    """

    temperature: Tensor
    last: Tensor
    rate: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        shape = [len(setup.configs), len(setup.tasks)]
        self.register_buffer("temperature", setup.values("temperature"), persistent=False)
        self.register_buffer("last", torch.zeros(shape))  # the latest mean of an epoch; 0: none so far
        self.register_buffer("rate", torch.ones(shape))
        self.means = EpochMeans(setup)
        self.current: Tensor | None = None  # weights of this epoch, if all tasks are present

    def turn(self, step: int) -> None:
        if self.means.is_over(step):
            self._end_epoch()

    def taken_back(self) -> None:
        self.current = None

    def weights(self, inputs: StepInputs) -> Tensor:
        self.turn(inputs.step)
        self.means.add(inputs)
        if inputs.present is not None:
            return softmax(self.rate / self.temperature, inputs.present) * inputs.present.sum(1, keepdim=True)
        if self.current is None:
            self.current = softmax(self.rate / self.temperature, None) * self.rate.shape[1]
        return self.current

    def _end_epoch(self) -> None:
        means, known = self.means.take()
        means = floored(means)
        torch.where(known & (self.last > 0), means / self.last, self.rate, out=self.rate)
        torch.where(known, means, self.last, out=self.last)
        self.current = None
