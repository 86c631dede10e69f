"""The average gradient, projected to where it conflicts with no task."""

from torch import Tensor

from mtlrun.loss.base import StepInputs
from mtlrun.loss.gramian import GramianStrategy
from mtlrun.loss.solvers import conditioned, nonnegative


class Dualproj(GramianStrategy):
    r"""The projection of the mean of the gradients onto their dual cone (Lopez-Paz & Ranzato, NeurIPS 2017, section 3;
    named DualProj by Quinton & Rey, 2024).

    .. math:: \min_v v^\top G v \quad\text{with}\quad v_t \ge 1/T

    :math:`\sum_t v_t g_t` is the vector closest to the mean of the gradients that has a product of at least 0 with
    each of them. The weights are v: those of the mean where no gradient conflicts with it.

    Changed from the paper: there the gradient of one task is projected, of the task that is learnt now, and the others
    are those of past tasks; Quinton & Rey project the mean of all, as here.
    G is made definite by
    `mtlrun.loss.solvers.conditioned`: as if each gradient had a component of its own, of 1e-3 of its length.
    """

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        m, lengths = conditioned(gramian, here)
        share = here / here.sum(1, keepdim=True).clamp(min=1)  # 1/T
        lengths = lengths / lengths.amax(1, keepdim=True)
        q = (m @ (share * lengths).unsqueeze(2)).squeeze(2)
        return share + nonnegative(m, q) / lengths
