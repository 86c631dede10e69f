"""The mean gradient, projected so that it conflicts with no task."""

from torch import Tensor

from mtlrun.loss.base import StepInputs
from mtlrun.loss.gramian import GramianStrategy
from mtlrun.loss.solvers import conditioned, nonnegative


class Dualproj(GramianStrategy):
    r"""Projects the mean of the gradients onto their dual cone (Lopez-Paz & Ranzato, NeurIPS 2017, section 3; named
    DualProj by Quinton & Rey, 2024).

    .. math:: \min_v v^\top G v \quad\text{with}\quad v_t \ge 1/T

    The weights are v. :math:`\sum_t v_t g_t` is the vector closest to the mean of the gradients among those whose
    product with each gradient is at least 0. If no gradient conflicts with the mean, the weights are those of the mean.

    Changed from the paper: Lopez-Paz & Ranzato project the gradient of the task being learnt, and the cone is that of
    past tasks. Quinton & Rey project the mean of all gradients, as here.
    `mtlrun.loss.solvers.conditioned` makes G definite: it adds an independent component of 1e-3 of its length to
    each gradient.
    """

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        m, lengths = conditioned(gramian, here)
        share = here / here.sum(1, keepdim=True).clamp(min=1)  # 1/T
        lengths = lengths / lengths.amax(1, keepdim=True)
        q = (m @ (share * lengths).unsqueeze(2)).squeeze(2)
        return share + nonnegative(m, q) / lengths
