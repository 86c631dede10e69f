"""Impartial multi-task learning: gradients and losses."""

from torch import Tensor

from mtlrun.loss.base import StepInputs
from mtlrun.loss.imtl_g import ImtlG
from mtlrun.loss.learnt import LossScales


class Imtl(LossScales, ImtlG):
    r"""Impartial multi-task learning (Liu, Li, Kuang, Xue, Chen, Yang, Liao & Zhang, ICLR 2021, algorithm 1): IMTL-L's
    scaled losses for all, and IMTL-G of these for the shared parameters.

    .. math:: \text{head } t:\ e^{s_t} \nabla L_t, \qquad
        \text{shared}:\ \sum_t \alpha_t e^{s_t} \nabla L_t, \quad \alpha = \frac{G^{-1} d}{\mathbf{1}^\top G^{-1} d},

    with G and d those of the gradients of :math:`e^{s_t} L_t`, and s learnt from :math:`\sum_t e^{s_t} L_t - s_t`. The
    weights are :math:`\alpha_t e^{s_t}`. The scales cancel in the direction of the shared parameters and set its length
    alone.

    Changed from the paper: what `ImtlG` says; s has a rate of its own (`loss.lr`), and starts at its optimum −log L
    for the first batch in which the task has a label (`loss.init=first_batch`; a number starts it there, 0 is the
    plain start). `loss.scale=sum_to_T` scales the weights of shared parameters and heads apart; with `loss.heads=own`
    s has no part in the heads.
    """

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        self.current(inputs.losses)
        impartial = self.impartial(gramian)  # e^s of the gradients, times e^s of the weights, is 1
        return self.normalised(impartial, (impartial * self.scales(-1)).sum(1, keepdim=True))

    def head_weights(self, weights: Tensor, present: Tensor | None) -> Tensor:
        return self.scaled(self.scales(), present)
