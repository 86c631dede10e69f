"""Dual balancing."""

from typing import ClassVar

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, Strategy, StrategySetup

EPSILON = 1e-8  # added to a loss before its logarithm, as published


class DbMtl(Strategy):
    r"""DB-MTL, dual balancing (Lin, Jiang, Ye, Zhang, Chen, Chen, Liu, Tsang & Kwok, arXiv 2308.12029, algorithm 1).

    It takes the logarithm of each loss and scales the moving averages of the gradients to the largest of their norms:

    .. math:: \hat g_t \leftarrow \beta_k\, \hat g_t + (1 - \beta_k)\, \nabla \log(L_t + 10^{-8}), \qquad
              d = \max_s \lVert\hat g_s\rVert \sum_t \frac{\hat g_t}{\lVert\hat g_t\rVert},
              \qquad \beta_k = \beta / k^{\sigma}

    ĝ starts at 0; k = 1, 2, … is the number of the step. The shared parameters descend along d. The heads get the
    gradient of log L (`loss.heads=weighted`, weights 1/(L + 10⁻⁸)) or of L (`own`). The defaults are those of the
    authors' code: `beta` 0.9 and `sigma` 0, a moving average with a fixed rate. With `loss.sigma=0.5` the average
    forgets faster as training goes on. `loss.beta=0` uses the gradients of the current batch alone.

    Changed from the paper: a task without a label in the batch is left out of the direction, and its average stays. k
    counts the batches that have a label of the task. Memory: one number for each task and shared parameter.
    """

    needs_gradients: ClassVar[bool] = True
    average: Tensor
    count: Tensor
    beta: Tensor
    sigma: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        shape = len(setup.configs), len(setup.tasks)
        self.register_buffer("average", torch.zeros(*shape, setup.shared))
        self.register_buffer("count", torch.zeros(shape))
        self.register_buffer("beta", setup.values("beta"), persistent=False)
        self.register_buffer("sigma", setup.values("sigma"), persistent=False)
        self.factors = torch.zeros(shape)  # of the averages, in this step's direction

    def weights(self, inputs: StepInputs) -> Tensor:
        gradients = inputs.gradients
        assert gradients is not None, "needs_gradients"
        here = torch.ones_like(self.count, dtype=torch.bool) if inputs.present is None else inputs.present
        weights = torch.where(here, 1 / (inputs.losses + EPSILON), 0.0)
        self.count.add_(here)
        new = torch.where(here, 1 - self.beta * self.count.clamp_min(1) ** -self.sigma, 0.0)  # [R, T]
        average = self._average(gradients)
        average.lerp_(gradients * weights.unsqueeze(2), new.unsqueeze(2))
        norms = torch.where(here, torch.linalg.vector_norm(average, dim=2), 0.0)
        self.factors = torch.where(norms > 0, norms.amax(1, keepdim=True) / norms, 0.0)
        return weights

    def direction(self, weights: Tensor, gradients: Tensor) -> Tensor:
        factors = self.factors * self.user_weights if self.has_user_weights else self.factors
        return torch.bmm(factors.unsqueeze(1), self._average(gradients)).squeeze(1)

    def _average(self, gradients: Tensor) -> Tensor:
        return self.average[..., : gradients.shape[2]]
