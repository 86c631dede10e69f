"""The common descent direction of the gradients."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, StrategySetup
from mtlrun.loss.gramian import GramianStrategy
from mtlrun.loss.solvers import conditioned, nonnegative


class Mgda(GramianStrategy):
    r"""Multiple-gradient descent (Désidéri, Comptes Rendus Mathématique 2012; Sener & Koltun, NeurIPS 2018).

    .. math:: \min_a \Big\|\sum_t a_t\, g_t / n_t\Big\|^2,\quad a \ge 0,\ \sum_t a_t = 1

    The direction is the shortest vector in the convex hull of the gradients; the weights are :math:`a_t / n_t`. A step
    along it lowers every loss, all by the same amount (in units of n_t) if all weights are above 0. It is 0 if no
    direction lowers all losses.

    `loss.normalize` sets n_t: none, 1; l2, the gradient's length; loss, the task's loss; loss+, the loss times the
    length. With none, the task with the shortest gradient gets most of the weight.

    Changed from the papers: the solution is exact; Sener & Koltun take Frank-Wolfe steps. It is a = x / Σx for the
    x ≥ 0 that minimises :math:`\|\sum x_t g_t / n_t\|^2 + (\sum x_t - 1)^2`. The normalisations come from the code of
    Sener & Koltun, not from the papers. That code multiplies the losses by a and not by a / n, so its direction is not
    the minimum. A task whose loss is 0 gets the limit of its weight under `loss` and `loss+`.
    `mtlrun.loss.solvers.conditioned` makes G definite: it adds an independent component of 1e-3 of its length to
    each gradient.
    """

    by_length: Tensor
    by_loss: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        chosen = [c.normalize for c in setup.configs]
        self.register_buffer("by_length", torch.tensor([[n in ("l2", "loss+")] for n in chosen]), persistent=False)
        self.register_buffer("by_loss", torch.tensor([[n in ("loss", "loss+")] for n in chosen]), persistent=False)
        self.plain = set(chosen) == {"none"}

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        m, lengths = conditioned(gramian, here)
        d = here / lengths
        if not self.plain:  # of the gradients divided by n
            d = torch.where(self.by_length, here.to(d), d)
            d = torch.where(self.by_loss, d * inputs.losses.to(d).clamp(min=0), d)
        most = d.amax(1, keepdim=True)
        d = d / torch.where(most > 0, most, 1.0)
        x = nonnegative(m + d.unsqueeze(1) * d.unsqueeze(2), -d)  # [R, T], a/n times the lengths times a number
        total = (d * x).sum(1, keepdim=True)
        return x / lengths / torch.where(total > 0, total * most, 1.0)
