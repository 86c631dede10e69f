"""The average gradient, moved towards the worst-off task."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, StrategySetup
from mtlrun.loss.gramian import GramianStrategy
from mtlrun.loss.solvers import conditioned, max_min


class Cagrad(GramianStrategy):
    r"""Conflict-averse gradient descent (Liu, Liu, Jin, Stone & Liu, NeurIPS 2021, algorithm 1).

    .. math:: \max_d \min_t\ g_t^\top d \quad\text{with}\quad \|d - g_0\| \le c\,\|g_0\|,\quad g_0 = \tfrac1T \sum_t g_t

    In the dual problem, w minimises :math:`g_w^\top g_0 + c\,\|g_0\|\,\|g_w\|` over the simplex, with :math:`g_w =
    \sum_t w_t g_t`. The weights of the losses are :math:`1/T + c\,\|g_0\|\,w_t / \|g_w\|`. `loss.c` 0 is the mean of
    the losses. The paper proves convergence for c < 1. Its main experiments use 0.4, the default here; its toy 0.5.

    Changed from the paper: the solution is exact. It follows the path of best directions for a growing bound on
    :math:`g_t^\top d`; the published code calls a general solver in every step. That code also divides the direction
    by 1 + c²; the paper does not, and neither does this.
    `mtlrun.loss.solvers.conditioned` makes G definite: it adds an independent component of 1e-3 of its length to
    each gradient.
    """

    c: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        self.register_buffer("c", setup.values("c").double(), persistent=False)  # [R, 1]

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        m, lengths = conditioned(gramian, here)
        share = here / here.sum(1, keepdim=True).clamp(min=1)  # 1/T
        longest = torch.where(here, lengths, 0.0).amax(1, keepdim=True)
        longest = torch.where(longest > 0, longest, 1.0)
        mean = share * lengths / longest  # of the gradients, in units of the longest
        q = (m @ mean.unsqueeze(2)).squeeze(2)
        shift = m.diagonal(dim1=1, dim2=2) - 1  # no part of the mean's length: the ball is that of the true mean
        radius = self.c * (mean * (q - shift * mean)).sum(1, keepdim=True).clamp(min=0).sqrt()
        d = torch.where(here, lengths.amin(1, keepdim=True) / lengths, 0.0)
        return share + max_min(m, q, d, radius) * longest / lengths
