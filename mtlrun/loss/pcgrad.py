"""Projecting conflicting gradients."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, StrategySetup
from mtlrun.loss.cosines import cosines_of, in_orders, out_of_orders, random_orders
from mtlrun.loss.gramian import GramianStrategy
from mtlrun.loss.parts import Stream


class Pcgrad(GramianStrategy):
    r"""Gradient surgery (Yu, Kumar, Gupta, Levine, Hausman & Finn, NeurIPS 2020, algorithm 1).

    Each task's gradient, in a random order of the other tasks j, loses its component along g_j where that is negative;
    the sum of what is left is the direction. With the gradient of task i written :math:`\sum_t W_{it}\, g_t`, W = I
    at first, a projection is

    .. math:: W_{ij} \leftarrow W_{ij} - \min(0, (G W_i)_j) / G_{jj}

    and the weights are the column sums of W. Orders are drawn anew in every step.
    """

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        tasks = len(setup.tasks)
        self.stream = Stream(setup, "pcgrad", [tasks, tasks], random_orders)

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        if len(self.tasks) == 1:
            return torch.ones_like(here, dtype=gramian.dtype)
        order = self.stream(inputs.step, here.long())  # [R, i, k]: the k-th task that the gradient of i is held against
        inverse, cosines = cosines_of(gramian)
        # in units of ‖g_i‖, along unit gradients: the projections of what i is by then onto the others
        projections, between = in_orders(cosines, order)  # [R, i, k], [R, i, k, l]
        for along, row in zip(projections.split(1, 2), between.unbind(2), strict=True):
            projections.addcmul_(along.clamp_max(0), row, value=-1)  # of those that come later
        return out_of_orders(projections.neg_().relu_(), order, gramian, inverse)
