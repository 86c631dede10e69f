"""Strategies that read the tasks' gradients through their Gramian alone."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, Strategy


class GramianStrategy(Strategy):
    """Weights from G = JJᵀ `[R, T, T]`, J `[R, T, D]` the tasks' gradients in what they share.

    A task without a label in the batch, or whose gradient is exactly 0, has no part in it: the others' weights are
    those that they would have without it, and its own is 0. A Gramian that is not finite gives weights nan, so that
    this run fails by name and the others of its stack go on.
    """

    needs_gradients: ClassVar[bool] = True
    gramian_only: ClassVar[bool] = True

    @abstractmethod
    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        """Weights `[R, T]` float64 from Gramians `[R, T, T]` float64, finite and symmetric, of which rows and columns
        of tasks that are not `here` `[R, T]` are 0. What it returns for those is put aside; perhaps no task is here."""

    def weights(self, inputs: StepInputs) -> Tensor:
        gramian = inputs.products()
        finite = gramian.sum((1, 2)).isfinite()  # [R]
        gramian = torch.where(finite[:, None, None], gramian, 0.0)
        here = gramian.diagonal(dim1=1, dim2=2) > 0  # the gradient of a task without a label is 0
        weights = torch.where(here, self.solve(gramian, here, inputs), 0.0)
        return torch.where(finite.unsqueeze(1), weights, torch.nan).to(inputs.losses)
