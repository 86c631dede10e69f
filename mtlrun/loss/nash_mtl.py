"""The Nash bargaining solution between the tasks."""

from torch import Tensor

from mtlrun.loss.base import StepInputs
from mtlrun.loss.gramian import GramianStrategy
from mtlrun.loss.solvers import bargained, conditioned


class NashMtl(GramianStrategy):
    r"""Nash-MTL (Navon, Shamsian, Achituve, Maron, Kawaguchi, Chechik & Fetaya, ICML 2022, claim 3.1).

    .. math:: G\,a = 1 / a,\quad a > 0

    The direction :math:`\sum_t a_t g_t` has the largest product of gains :math:`\prod_t g_t^\top d` among those of
    its length, and gains 1/a_t for task t. Its length is √T, whatever those of the gradients, and a loss times s has
    its weight divided by s: neither size nor unit of a loss matters.

    Changed from the paper: solved in every step and exactly, by Newton's method (for two tasks in closed form), where
    the published code solves every few steps, by a sequence of convex problems that begins where the last
    ended. That code clips the direction to length 1; with exact solutions this is no more than a factor 1/√T
    throughout, and is left to the learning rate. It weighs the losses, those of heads too: `loss.heads=weighted`.
    G is made definite by
    `mtlrun.loss.solvers.conditioned`: as if each gradient had a component of its own, of 1e-3 of its length.
    """

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        m, lengths = conditioned(gramian, here)
        if here.shape[1] == 1:
            return 1 / lengths
        if here.shape[1] == 2:  # in unit lengths both are the same: (1 + cosine) a² = 1
            return 1 / (lengths * m[:, 0].sum(1, keepdim=True).sqrt())
        return bargained(m) / lengths
