"""Gradient vaccine."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, StrategySetup
from mtlrun.loss.cosines import ROUNDING, cosines_of, in_orders, out_of_orders, random_orders
from mtlrun.loss.gramian import GramianStrategy
from mtlrun.loss.parts import Stream


class Gradvac(GramianStrategy):
    r"""Gradient vaccine (Wang, Tsvetkov, Firat & Cao, ICLR 2021, algorithm 1). All shared parameters are one group.

    :math:`g_i'` starts as g_i, the gradient of task i, and meets the other tasks j in a random order. If its cosine
    :math:`\phi_{ij}` with :math:`g_j` is below a target :math:`\hat\phi_{ij}`, it moves along g_j until its cosine is
    the target. Then the target moves towards the cosine before that move:

    .. math::

        g_i' \leftarrow g_i' + \|g_i'\|\, \frac{\hat\phi_{ij}\sqrt{1-\phi_{ij}^2} - \phi_{ij}\sqrt{1-\hat\phi_{ij}^2}}
        {\|g_j\|\sqrt{1-\hat\phi_{ij}^2}}\, g_j, \qquad
        \hat\phi_{ij} \leftarrow (1-\beta)\,\hat\phi_{ij} + \beta\,\phi_{ij}

    The direction is the sum of the :math:`g_i'`. Targets start at 0, where the step is that of PCGrad. β is
    `loss.beta`, 0.01 as in the paper.

    Changed from the paper: 1 − φ̂² is at least float32's rounding, as no sum of gradients reaches a cosine of 1. The
    target of a pair stays if one of its tasks has no label in the batch or a gradient of 0, or if nothing is left of
    g_i' because it met the opposite gradient.
    """

    targets: Tensor
    beta: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        runs, tasks = len(setup.configs), len(setup.tasks)
        self.stream = Stream(setup, "gradvac", [tasks, tasks], random_orders)
        self.register_buffer("targets", torch.zeros(runs, tasks, tasks, dtype=torch.float64))
        self.register_buffer("beta", setup.values("beta").double().unsqueeze(2), persistent=False)  # [R, 1, 1]

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        if len(self.tasks) == 1:
            return torch.ones_like(here, dtype=gramian.dtype)
        order = self.stream(inputs.step, here.long())  # [R, i, k]: the k-th task that the gradient of i meets
        inverse, cosines = cosines_of(gramian)
        # projections of the current g'_i onto the other unit gradients, in units of ‖g_i‖
        projections, between = in_orders(cosines, order)  # [R, i, k], [R, i, k, l]
        both = (here.unsqueeze(2) & here.unsqueeze(1)).gather(2, order)
        targets = self.targets.gather(2, order)
        slopes = targets * (1 - targets.square()).clamp_min_(ROUNDING).rsqrt_()
        slopes.masked_fill_(~both, -1 / ROUNDING)  # no cosine is below it
        squares = here.to(gramian).unsqueeze(2)  # ‖g'_i‖²
        found, added = [], []
        for along, slope, row in zip(projections.split(1, 2), slopes.split(1, 2), between.unbind(2), strict=True):
            found.append(squares)
            across = torch.addcmul(squares, along, along, value=-1).relu_()  # squared; moving along g_j keeps it
            wanted = torch.maximum(along, slope * across.sqrt())
            added.append(wanted - along)
            squares = across.addcmul_(wanted, wanted)
            projections.addcmul_(added[-1], row)  # onto the tasks that come later
        squares = torch.cat(found, 2)
        both = both & (squares > ROUNDING**2)  # after an opposite gradient nothing is left that has a cosine
        change = projections * squares.rsqrt_() - targets
        self.targets.scatter_(2, order, torch.where(both, targets.addcmul(self.beta, change), targets))
        return out_of_orders(torch.cat(added, 2), order, gramian, inverse)
