"""Impartial losses."""

from torch import Tensor

from mtlrun.loss.base import StepInputs
from mtlrun.loss.learnt import LossScales


class ImtlL(LossScales):
    r"""Loss balance of impartial multi-task learning, IMTL-L (Liu, Li, Kuang, Xue, Chen, Yang, Liao & Zhang,
    ICLR 2021, section 3.2).

    .. math:: \sum_t e^{s_t} L_t - s_t

    s is learnt. At the optimum :math:`s_t = -\log L_t` every weighted loss is 1 and the weights are 1/L_t. That is the
    direction of `gls`, and of `loss=uncertainty loss.solve=closed_form` if all tasks have the same c. The learnt
    version is `loss=uncertainty` with (a, c) = (1, 1) for every task and −s in place of s.

    Changed from the paper, as for `uncertainty` and for the same reasons: s has a separate learning rate (`loss.lr`),
    where the paper uses the network's; and s starts at its optimum for the first batch in which the task has a label
    (`loss.init=first_batch`), where the paper starts at 0.
    """

    def weights(self, inputs: StepInputs) -> Tensor:
        self.current(inputs.losses)
        return self.scales()
