"""Fair shares of the decrease of the losses."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, StrategySetup
from mtlrun.loss.gramian import GramianStrategy
from mtlrun.loss.solvers import balanced, conditioned

LEAST = 1e-20  # of w‖g‖, relative to the largest: float32 holds it, and its sum with the largest does not show it


class Fairgrad(GramianStrategy):
    r"""FairGrad (Ban & Ji, "Fair resource allocation in multi-task learning", ICML 2024, eq. 4).

    .. math:: G\,w = w^{-1/\alpha},\quad w > 0

    The direction :math:`\sum_t w_t g_t` is α-fair: it maximises :math:`\sum_t u_t^{1-\alpha} / (1 - \alpha)` of the
    gains :math:`u_t = g_t^\top d = w_t^{-1/\alpha}` among directions of its length. `loss.alpha` near 0 gives the plain
    sum, 1 gives Nash-MTL, and a large alpha maximises the least gain, as MGDA does. Only with α = 1 does the direction
    not depend on how a task's loss is scaled.

    Changed from the paper: Newton's method solves the equation; the published code minimises squares with a general
    solver. That code also clips the direction to length 1, for which there is `trainer.clip`, and weights the losses in
    the heads too, which is `loss.heads=weighted`. The default of alpha is 2, as the published code's default of 1 is
    Nash-MTL. A weight is :math:`u_t^{-\alpha}`. With α = 10 and a gain of 10⁵ that is below the least number of
    float32. So :math:`w_t \|g_t\|` is at least 1e-20 of the largest: no weight is 0, and the direction stays the same.
    `mtlrun.loss.solvers.conditioned` makes G definite: it adds an independent component of 1e-3 of its length to
    each gradient.
    """

    power: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        self.register_buffer("power", 1 / setup.values("alpha").double(), persistent=False)  # [R, 1]
        alphas = [c.alpha for c in setup.configs]
        lowest, highest = min(alphas), max(alphas)
        self.ramp = 0 if lowest >= 0.5 and highest <= 2 else 28 if lowest >= 0.2 and highest <= 5 else 52

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        m, lengths = conditioned(gramian, here)
        x = balanced(m, lengths, self.power, self.ramp)
        return x.maximum(LEAST * torch.where(here, x, 0.0).amax(1, keepdim=True)) / lengths
