"""Each gradient projected to where it conflicts with no task, then averaged."""

from torch import Tensor

from mtlrun.loss.base import StepInputs
from mtlrun.loss.gramian import GramianStrategy
from mtlrun.loss.solvers import conditioned, nonnegative


class Upgrad(GramianStrategy):
    r"""Unconflicting projection of gradients (Quinton & Rey, "Jacobian descent for multi-objective optimization",
    2024, the aggregator UPGrad).

    .. math:: \sum_i\ \arg\min_v v^\top G v \quad\text{with}\quad v \ge e_i / T

    Every gradient, divided by T, is projected onto the dual cone of all; the weights are the sum over the
    tasks of the weights v of its projection. The direction conflicts with no task; without conflicts it is the mean.

    Changed from the paper: nothing; the matrix is conditioned as described in `mtlrun.loss.solvers`, where the
    published package adds 1e-4 of the trace, and takes the mean where the gradients are small as a whole.
    """

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        m, lengths = conditioned(gramian, here)
        # with v = (e_i + x) / T in units of gradient i, x is the minimum over x ≥ 0 for q the column i
        x = nonnegative(m.unsqueeze(1).expand(-1, m.shape[1], -1, -1), m)  # [R, i, T]
        kept = here * lengths
        added = (kept.unsqueeze(1) @ x).squeeze(1) / lengths
        return (1 + added) / here.sum(1, keepdim=True).clamp(min=1)
