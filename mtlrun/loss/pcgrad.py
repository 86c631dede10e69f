"""Projecting conflicting gradients."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, StrategySetup
from mtlrun.loss.cosines import cosines_of, in_orders, out_of_orders, random_orders
from mtlrun.loss.gramian import GramianStrategy
from mtlrun.loss.parts import Stream


class Pcgrad(GramianStrategy):
    r"""Gradient surgery (Yu, Kumar, Gupta, Levine, Hausman & Finn, NeurIPS 2020, algorithm 1).

    Each task's gradient meets the other tasks j in a random order, new in every step, and loses its component along g_j
    if that is negative. The direction is the sum of the results. Write the gradient of task i as :math:`\sum_t W_{it}\,
    g_t`, with W = I at first. Then a projection is

    .. math:: W_{ij} \leftarrow W_{ij} - \min(0, (G W_i)_j) / G_{jj}

    and the weights are the column sums of W.
    """

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        tasks = len(setup.tasks)
        self.stream = Stream(setup, "pcgrad", [tasks, tasks], random_orders)

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        if len(self.tasks) == 1:
            return torch.ones_like(here, dtype=gramian.dtype)
        order = self.stream(inputs.step, here.long())  # [R, i, k]: the k-th task that the gradient of i meets
        inverse, cosines = cosines_of(gramian)
        # projections of the current g_i onto the other unit gradients, in units of the first ‖g_i‖
        projections, between = in_orders(cosines, order)  # [R, i, k], [R, i, k, l]
        for along, row in zip(projections.split(1, 2), between.unbind(2), strict=True):
            projections.addcmul_(along.clamp_max(0), row, value=-1)  # onto the tasks that come later
        return out_of_orders(projections.neg_().relu_(), order, gramian, inverse)
