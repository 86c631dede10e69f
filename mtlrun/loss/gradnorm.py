"""Gradient normalisation."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from mtlrun.loss.base import StepInputs, Strategy, StrategySetup

SMALLEST = 1e-4  # a weight whose descent led it below, before the weights are scaled to their sum
TINY = torch.finfo(torch.float32).tiny


class Gradnorm(Strategy):
    r"""GradNorm (Chen, Badrinarayanan, Lee & Rabinovich, ICML 2018, equations 1 and 2, algorithm 1).

    Weights w, 1 at first, are learnt at the rate `lr` by descent on

    .. math:: L_{grad} = \sum_t \left| w_t \lVert g_t\rVert - \overline{w \lVert g\rVert}\; r_t^{\alpha} \right|,
              \qquad r_t = \frac{L_t / L_t(0)}{\overline{L / L(0)}}

    where bars are means over tasks, what is behind the minus is held constant, and L(0) is the loss of the first batch
    in which the task has a label. So a task whose loss has fallen less than the others' gets a longer gradient;
    α = 0 makes all equally long. Each step begins by scaling the weights so that they sum to T.

    Changed from the paper: g is the gradient in all that the tasks share, or in the features that heads read
    (`loss.at`), in place of the last shared layer; a weight that has fallen below 10⁻⁴ is set to that before weights
    are scaled, so that none turns negative, which the paper leaves open; means are over the tasks that have a label in
    the batch, and the others' weights get no gradient. w descends by the run's own optimiser. `lr` 0.025 and α 1.5 are
    those of the paper's NYUv2 experiments (α 0.12 in its synthetic one, where tasks differ in scale alone).
    """

    needs_gradients: ClassVar[bool] = True
    gramian_only: ClassVar[bool] = True
    first: Tensor
    alpha: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        shape = len(setup.configs), len(setup.tasks)
        self.w = nn.Parameter(torch.ones(shape))
        self.register_buffer("first", torch.zeros(shape))  # L(0), 0 where it is not known yet
        self.register_buffer("alpha", setup.values("alpha"), persistent=False)
        self.norms = torch.zeros(shape)  # of this step's gradients

    def rates(self) -> list[float]:
        return [c.lr for c in self.configs]

    @torch.no_grad()
    def weights(self, inputs: StepInputs) -> Tensor:
        self.norms = inputs.norms()  # [R, T]
        # a loss of exactly 0 (a task without a label, too) is nothing to measure progress by
        self.first.copy_(torch.where(self.first > 0, self.first, inputs.losses))
        self.w.clamp_min_(SMALLEST)
        self.w.mul_(len(self.tasks) / self.w.sum(1, keepdim=True))
        return self.w.clone()

    def gradients(self, losses: Tensor, weights: Tensor, present: Tensor | None) -> list[Tensor]:
        """d L_grad / dw = sign(w|g| − target) · |g|; 0 for a task without a label in the batch."""
        weighted = weights * self.norms
        progress = losses / self.first.clamp_min(TINY)  # 0 for a task without a label
        if present is None:
            mean_norm, mean_progress = weighted.mean(1, keepdim=True), progress.mean(1, keepdim=True)
        else:
            count = present.sum(1, keepdim=True).clamp_min(1)
            mean_norm, mean_progress = ((v * present).sum(1, keepdim=True) / count for v in (weighted, progress))
        relative = progress / mean_progress.clamp_min(TINY)
        gradient = torch.sign(weighted - mean_norm * relative**self.alpha) * self.norms
        return [gradient if present is None else torch.where(present, gradient, 0.0)]
