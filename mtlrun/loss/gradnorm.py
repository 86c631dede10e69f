"""Gradient normalisation."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from mtlrun.loss.base import StepInputs, Strategy, StrategySetup
from mtlrun.loss.parts import beyond_rounding

SMALLEST = 1e-4  # the least weight before the weights are scaled to their sum
TINY = torch.finfo(torch.float32).tiny


class Gradnorm(Strategy):
    r"""GradNorm (Chen, Badrinarayanan, Lee & Rabinovich, ICML 2018, equations 1 and 2, algorithm 1).

    The weights w start at 1. The run's optimiser trains them with the learning rate `lr` to minimise

    .. math:: L_{grad} = \sum_t \left| w_t \lVert g_t\rVert - \overline{w \lVert g\rVert}\; r_t^{\alpha} \right|,
              \qquad r_t = \frac{L_t / L_t(0)}{\overline{L / L(0)}}

    Bars are means over tasks. The term after the minus counts as a constant. L(0) is the loss of the first batch in
    which the task has a label. So a task whose loss fell less than the others gets a longer gradient; with α = 0 all
    gradients get the same length. Each step first scales the weights so that they sum to T.

    Changed from the paper: g is the gradient in all shared parameters, or in the features that the heads read
    (`loss.at`); the paper takes the last shared layer. A weight below 10⁻⁴ becomes 10⁻⁴ before the weights are scaled,
    so none turns negative; the paper does not say what happens then. Means are over the tasks that have a label in the
    batch, and the weights of the others get no gradient. `lr` 0.025 and α 1.5 are those of the paper's NYUv2
    experiments (α is 0.12 in its synthetic one, where only the scales of the tasks differ).
    """

    needs_gradients: ClassVar[bool] = True
    gramian_only: ClassVar[bool] = True
    first: Tensor
    alpha: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        shape = len(setup.configs), len(setup.tasks)
        self.w = nn.Parameter(torch.ones(shape))
        self.register_buffer("first", torch.zeros(shape))  # L(0); 0: not known yet
        self.register_buffer("alpha", setup.values("alpha"), persistent=False)
        self.norms = torch.zeros(shape)  # of this step's gradients

    def rates(self) -> list[float]:
        return [c.lr for c in self.configs]

    @torch.no_grad()
    def weights(self, inputs: StepInputs) -> Tensor:
        self.norms = inputs.norms()  # [R, T]
        # a loss of exactly 0, such as that of a task without a label, cannot measure progress
        self.first.copy_(torch.where(self.first > 0, self.first, inputs.losses))
        self.w.clamp_min_(SMALLEST)
        self.w.mul_(len(self.tasks) / self.w.sum(1, keepdim=True))
        return self.w.clone()

    def gradients(self, losses: Tensor, weights: Tensor, present: Tensor | None) -> list[Tensor]:
        """Returns d L_grad / dw = sign(w|g| − target) · |g|, and 0 for a task without a label in the batch."""
        weighted = weights * self.norms
        progress = losses / self.first.clamp_min(TINY)  # 0 for a task without a label
        if present is None:
            mean_norm, mean_progress = weighted.mean(1, keepdim=True), progress.mean(1, keepdim=True)
        else:
            count = present.sum(1, keepdim=True).clamp_min(1)
            mean_norm, mean_progress = ((v * present).sum(1, keepdim=True) / count for v in (weighted, progress))
        relative = progress / mean_progress.clamp_min(TINY)
        excess = beyond_rounding(weighted - mean_norm * relative**self.alpha, weighted)
        gradient = torch.sign(excess) * self.norms
        return [gradient if present is None else torch.where(present, gradient, 0.0)]
