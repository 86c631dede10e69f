"""Dynamic weight average."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, Strategy, StrategySetup
from mtlrun.loss.parts import EpochMeans, floored, softmax


class Dwa(Strategy):
    r"""Dynamic weight average (Liu, Johns & Davison, CVPR 2019, eq. 7).

    .. math:: w_t = n\, \mathrm{softmax}_t(r / \tau), \qquad r_t = \bar L_t(k-1) / \bar L_t(k-2)

    in epoch k, with the mean losses of the two epochs before it and the temperature τ = `loss.temperature`, 2 in the
    paper. In the first two epochs every weight is 1. Weights sum to the number of tasks n.

    Changed from the paper: n and the softmax are of the tasks that have a label in the batch. A mean is over those
    batches of an epoch that have a label of the task; a task without any in an epoch keeps what is known of it: its
    last mean, to which its next one is compared, and its r, which is 1 (neither slower nor faster) until it has two
    means. Means below 1e-12 count as 1e-12.
    """

    temperature: Tensor
    last: Tensor
    rate: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        shape = [len(setup.configs), len(setup.tasks)]
        self.register_buffer("temperature", setup.values("temperature"), persistent=False)
        self.register_buffer("last", torch.zeros(shape))  # the mean of the last epoch that has one; 0: none so far
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
