"""The mean of the gradients, each projected so that it conflicts with no task."""

from torch import Tensor

from mtlrun.loss.base import StepInputs
from mtlrun.loss.gramian import GramianStrategy
from mtlrun.loss.solvers import conditioned, nonnegative


class Upgrad(GramianStrategy):
    r"""Unconflicting projection of gradients (Quinton & Rey, "Jacobian descent for multi-objective optimization",
    2024, the aggregator UPGrad).

    .. math:: \sum_i\ \arg\min_v v^\top G v \quad\text{with}\quad v \ge e_i / T

    Every gradient, divided by T, is projected onto the dual cone of all gradients. The weights are the sum of the v of
    these projections. The direction conflicts with no task; without conflicts it is the mean.

    Changed from the published package, which adds 1e-4 of the trace to the diagonal and takes the mean if all gradients
    are small: `mtlrun.loss.solvers.conditioned` makes G definite by adding an independent component of 1e-3 of its
    length to each gradient.
    """

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        m, lengths = conditioned(gramian, here)
        # v = (e_i + x) / T in units of gradient i: x ≥ 0 is the minimum with q = column i of M
        x = nonnegative(m.unsqueeze(1).expand(-1, m.shape[1], -1, -1), m)  # [R, i, T]
        kept = here * lengths
        added = (kept.unsqueeze(1) @ x).squeeze(1) / lengths
        return (1 + added) / here.sum(1, keepdim=True).clamp(min=1)
