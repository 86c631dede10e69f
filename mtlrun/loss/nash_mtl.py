"""The Nash bargaining solution between the tasks."""

from torch import Tensor

from mtlrun.loss.base import StepInputs
from mtlrun.loss.gramian import GramianStrategy
from mtlrun.loss.solvers import bargained, conditioned


class NashMtl(GramianStrategy):
    r"""Nash-MTL (Navon, Shamsian, Achituve, Maron, Kawaguchi, Chechik & Fetaya, ICML 2022, claim 3.1).

    .. math:: G\,a = 1 / a,\quad a > 0

    The direction :math:`\sum_t a_t g_t` has the largest product of gains :math:`\prod_t g_t^\top d` among directions of
    its length. Task t gains 1/a_t. The length is always √T. If a loss is multiplied by s, its weight is divided by s,
    so neither the size nor the unit of a loss matters.

    Changed from the paper: Newton's method solves the problem exactly in every step (two tasks have a closed form). The
    published code solves it every few steps by a sequence of convex problems that starts from the last solution. That
    code clips the direction to length 1; for an exact solution that is a constant factor 1/√T, which the learning rate
    can hold. It also weights the losses in the heads, which is `loss.heads=weighted`.
    `mtlrun.loss.solvers.conditioned` makes G definite: it adds an independent component of 1e-3 of its length to
    each gradient.
    """

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        m, lengths = conditioned(gramian, here)
        if here.shape[1] == 1:
            return 1 / lengths
        if here.shape[1] == 2:  # for unit gradients both weights are a, with (1 + cosine) a² = 1
            return 1 / (lengths * m[:, 0].sum(1, keepdim=True).sqrt())
        return bargained(m) / lengths
