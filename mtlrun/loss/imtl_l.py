"""Impartial losses."""

from torch import Tensor

from mtlrun.loss.base import StepInputs
from mtlrun.loss.learnt import LossScales


class ImtlL(LossScales):
    r"""Loss balance of impartial multi-task learning, IMTL-L (Liu, Li, Kuang, Xue, Chen, Yang, Liao & Zhang,
    ICLR 2021, section 3.2).

    .. math:: \sum_t e^{s_t} L_t - s_t

    with s learnt. At the optimum :math:`s_t = -\log L_t` every weighted loss is 1, and the weights are 1/L_t: the
    direction of `gls` and of `loss=uncertainty loss.solve=closed_form` where all tasks have the same c. Learnt, it is
    `loss=uncertainty` with (a, c) = (1, 1) for every task and −s in place of s.

    Changed from the paper: s has a rate of its own (`loss.lr`) and starts at its optimum for the first batch in which
    the task has a label (`loss.init=first_batch`; 0 is the start of the paper), as `uncertainty` does and for its
    reasons. The paper trains s with the network, at the network's rate.
    """

    def weights(self, inputs: StepInputs) -> Tensor:
        self.current(inputs.losses)
        return self.scales()
