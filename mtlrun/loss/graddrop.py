"""Gradient sign dropout."""

from typing import ClassVar

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, Strategy, StrategySetup
from mtlrun.model.layers import generator


class Graddrop(Strategy):
    r"""GradDrop (Chen, Ngiam, Huang, Luong, Kretzschmar, Chai & Anguelov, NeurIPS 2020, algorithm 1).

    For each element of the gradients, it keeps either the positive values of all tasks, with probability P, or the
    negative ones:

    .. math:: P = \tfrac12 \left(1 + \frac{\sum_t g_t}{\sum_t |g_t|}\right), \qquad
              d = \sum_t \left(\ell + (1 - \ell) M_t\right) g_t, \quad
              M_t = [P > U][g_t > 0] + [P \le U][g_t < 0]

    U is uniform on [0, 1), a new number for every element and step from the run's seed. ℓ is `leak`. If all signs
    agree, nothing is dropped. The expected direction is Σg for ℓ = 1 and P Σg⁺ + (1 − P) Σg⁻ for ℓ = 0.

    `weights` are 1, so each head gets the gradient of its task's loss.

    Changed from the paper: it acts on gradients in the shared parameters (`loss.at=parameters`), as in torchjd. The
    paper acts on gradients in activations, multiplied by the activation's sign and summed over the batch;
    `loss.at=representation` is close to that, but decides for each row and feature. The paper's f(P) is the identity
    here. The paper has one leak per task; here all tasks have the same. The default is 0, as the paper uses a leak
    only for transfer learning.
    """

    needs_gradients: ClassVar[bool] = True
    leak: Tensor
    ones: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        self.seeds, self.step = list(setup.seeds), 0
        self.leaks = any(c.leak for c in setup.configs)
        self.register_buffer("leak", setup.values("leak"), persistent=False)
        self.register_buffer("ones", torch.ones(len(setup.configs), len(setup.tasks)), persistent=False)

    def weights(self, inputs: StepInputs) -> Tensor:
        self.step = inputs.step
        return self.ones

    def direction(self, weights: Tensor, gradients: Tensor) -> Tensor:
        if self.has_user_weights:
            gradients = gradients * weights.unsqueeze(2)
        size = gradients.shape[2]
        draws = [torch.rand(size, generator=generator(seed, "graddrop", self.step)) for seed in self.seeds]
        u = torch.stack(draws).to(gradients)  # [R, D]
        whole, positive = gradients.sum(1), gradients.clamp_min(0).sum(1)  # [R, D]
        negative = whole - positive
        # P = positive / (positive − negative), without a division by 0
        kept = torch.where(u * (positive - negative) < positive, positive, negative)
        return torch.lerp(kept, whole, self.leak) if self.leaks else kept
