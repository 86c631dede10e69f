"""Smooth Tchebycheff scalarisation."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, Strategy, StrategySetup
from mtlrun.loss.parts import EpochMeans, floored, softmax


class Stch(Strategy):
    r"""Smooth Tchebycheff scalarisation (Lin, Zhang, Yang, Liu, Wang & Zhang, ICML 2024, eq. 6), a smooth maximum.

    .. math:: \mu \log \sum_t \exp(\lambda_t (f_t - z_t) / \mu)

    `loss.nadir=warmup`, the default, is the method of the authors' code for multi-task learning. For `loss.warmup`
    epochs it minimises :math:`\sum_t \log L_t` (weights 1/L_t). After that it minimises n times the formula with
    :math:`f_t = \log L_t`, :math:`z_t = \log N_t` and λ = 1. N_t, the nadir, is the task's mean loss in the last epoch
    of the warm-up; n is the number of tasks:

    .. math:: w_t = n\, \mathrm{softmax}_t(\log(L / N) / \mu) / L_t

    `loss.nadir=none` is the paper's formula for the losses themselves, from the first step on, with λ = 1/n and z = 0,
    a lower bound of every loss:

    .. math:: w_t = \mathrm{softmax}_t(L / (n\mu)) / n

    The first is the default, since the second follows the task with the largest numbers, which depends on units. At
    μ = 1, the default of the authors' code, the first gives the direction of fixed weights 1/N_t. The smaller μ, the
    more weight goes to the task that is worst relative to its nadir.

    n and the softmax are over the tasks that have a label in the batch. Changed from the paper: N_t is the mean over
    batches that have a label of the task. A task without a label in the last epoch of the warm-up takes the nearest
    epoch before it that has one, else the first one after it; until then L/N = 1. Losses below 1e-12 count as 1e-12 in
    logarithms. λ and z cannot be set. The authors' warm-up of 4 lasts 5 epochs, as it counts from 0; 5 is the default
    here.
    """

    mu: Tensor
    plain: Tensor
    warmup: Tensor
    nadir: Tensor
    found: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        shape = [len(setup.configs), len(setup.tasks)]
        plain = [c.nadir == "none" for c in setup.configs]
        self.register_buffer("mu", setup.values("mu"), persistent=False)
        self.register_buffer("plain", torch.tensor(plain).unsqueeze(1), persistent=False)  # [R, 1]
        self.register_buffer("warmup", setup.values("warmup"), persistent=False)
        self.register_buffer("nadir", torch.zeros(shape))  # logarithms
        self.register_buffer("found", torch.zeros(shape, dtype=torch.bool))
        self.means = EpochMeans(setup)
        self.some_plain, self.all_plain = any(plain), all(plain)
        self.warmups = [c.warmup for c in setup.configs if c.nadir == "warmup"]

    def turn(self, step: int) -> None:
        if self.means.is_over(step):
            self._end_epoch(step // self.means.steps)

    def weights(self, inputs: StepInputs) -> Tensor:
        epoch = inputs.step // self.means.steps
        self.turn(inputs.step)
        self.means.add(inputs)
        if self.all_plain:
            return self._of_losses(inputs)
        weights = self._of_logarithms(inputs, epoch)
        return torch.where(self.plain, self._of_losses(inputs), weights) if self.some_plain else weights

    def _end_epoch(self, epochs: int) -> None:
        means, known = self.means.take()
        fresh = known & ((epochs <= self.warmup) | ~self.found)
        torch.where(fresh, torch.log(floored(means)), self.nadir, out=self.nadir)
        self.found.logical_or_(fresh)

    def _of_losses(self, inputs: StepInputs) -> Tensor:
        count = _count(inputs)
        return softmax(inputs.losses / (self.mu * count), inputs.present) / count

    def _of_logarithms(self, inputs: StepInputs, epoch: int) -> Tensor:
        losses = floored(inputs.losses)
        if epoch < min(self.warmups):
            factors = torch.ones_like(losses) if inputs.present is None else inputs.present.to(losses)
            return factors / losses
        excess = torch.where(self.found, torch.log(losses) - self.nadir, 0.0) / self.mu
        factors = _count(inputs) * softmax(excess, inputs.present)
        if epoch < max(self.warmups):
            here = torch.ones_like(losses) if inputs.present is None else inputs.present.to(losses)
            factors = torch.where(epoch < self.warmup, here, factors)
        return factors / losses


def _count(inputs: StepInputs) -> Tensor | int:
    """Returns the number of tasks with a label in the batch, `[R, 1]`, at least 1."""
    return inputs.losses.shape[1] if inputs.present is None else inputs.present.sum(1, keepdim=True).clamp_min(1)
