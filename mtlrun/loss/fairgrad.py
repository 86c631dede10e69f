"""Fair shares of the loss's decrease."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, StrategySetup
from mtlrun.loss.gramian import GramianStrategy
from mtlrun.loss.solvers import balanced, conditioned

LEAST = 1e-20  # of w‖g‖, relative to the largest: float32 holds it, and its sum with the largest does not show it


class Fairgrad(GramianStrategy):
    r"""FairGrad (Ban & Ji, "Fair resource allocation in multi-task learning", ICML 2024, eq. 4).

    .. math:: G\,w = w^{-1/\alpha},\quad w > 0

    The direction :math:`\sum_t w_t g_t` is α-fair: among those of its length it maximises :math:`\sum_t
    u_t^{1-\alpha} / (1 - \alpha)` of the gains :math:`u_t = g_t^\top d = w_t^{-1/\alpha}`. Towards `loss.alpha` 0 it
    becomes the plain sum, 1 is Nash-MTL, and as it grows the least gain is maximised, as in MGDA. Only for α = 1 is
    the direction the same whatever the size of a loss.

    Changed from the paper: solved by Newton's method where the published code minimises squares with a general
    solver; that code's clipping of the direction to length 1 is left to `trainer.clip`, and it weighs the losses, those
    of heads too: `loss.heads=weighted`. The default is 2, since 1, that of the published code, is Nash-MTL. A weight
    is :math:`u_t^{-\alpha}`, for α = 10 and a gain of 10⁵ below the least number of float32. So that no weight is 0,
    :math:`w_t \|g_t\|` is at least 1e-20 of the largest, which changes no digit of the direction.
    G is made definite by
    `mtlrun.loss.solvers.conditioned`: as if each gradient had a component of its own, of 1e-3 of its length.
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
