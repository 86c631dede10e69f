"""Impartial multi-task learning: gradients and losses."""

from torch import Tensor

from mtlrun.loss.base import StepInputs
from mtlrun.loss.imtl_g import ImtlG
from mtlrun.loss.learnt import LossScales


class Imtl(LossScales, ImtlG):
    r"""Impartial multi-task learning (Liu, Li, Kuang, Xue, Chen, Yang, Liao & Zhang, ICLR 2021, algorithm 1).

    All parameters get the scaled losses of IMTL-L. The shared parameters get IMTL-G of these losses:

    .. math:: \text{head } t:\ e^{s_t} \nabla L_t, \qquad
        \text{shared}:\ \sum_t \alpha_t e^{s_t} \nabla L_t, \quad \alpha = \frac{G^{-1} d}{\mathbf{1}^\top G^{-1} d},

    G and d belong to the gradients of :math:`e^{s_t} L_t`. s is learnt by minimising :math:`\sum_t e^{s_t} L_t - s_t`.
    The weights are :math:`\alpha_t e^{s_t}`. The scales cancel in the direction of the shared parameters; they set only
    its length.

    Changed from the paper: what `ImtlG` lists. s has a separate learning rate (`loss.lr`). With `loss.init=first_batch`
    it starts at its optimum −log L for the first batch in which the task has a label; a number starts it there, and 0
    is the paper's start. `loss.scale=sum_to_T` scales the weights of the shared parameters and those of the heads
    separately. With `loss.heads=own` the heads do not use s.
    """

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        self.current(inputs.losses)
        impartial = self.impartial(gramian)  # e^s of the gradients, times e^s of the weights, is 1
        return self.normalised(impartial, (impartial * self.scales(-1)).sum(1, keepdim=True))

    def head_weights(self, weights: Tensor, present: Tensor | None) -> Tensor:
        return self.scaled(self.scales(), present)
