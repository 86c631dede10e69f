"""Strategies that need only the Gramian of the tasks' gradients."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, Strategy


class GramianStrategy(Strategy):
    """Computes weights from G = JJᵀ `[R, T, T]`, J `[R, T, D]` the tasks' gradients in the shared parameters.

    A task without a label in the batch, or with a gradient of exactly 0, gets weight 0; the other tasks get the weights
    that they would have without it. If a Gramian is not finite, the weights are nan: this run fails with an error, and
    the other runs of the stack continue.
    """

    needs_gradients: ClassVar[bool] = True
    gramian_only: ClassVar[bool] = True

    @abstractmethod
    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        """Returns weights `[R, T]` float64 from Gramians `[R, T, T]` float64, which are finite and symmetric.

        Rows and columns of tasks that are not `here` `[R, T]` are 0, and their weights are ignored. `here` may be all
        False.
        """

    def weights(self, inputs: StepInputs) -> Tensor:
        gramian = inputs.products()
        finite = gramian.sum((1, 2)).isfinite()  # [R]
        gramian = torch.where(finite[:, None, None], gramian, 0.0)
        here = gramian.diagonal(dim1=1, dim2=2) > 0  # the gradient of a task without a label is 0
        weights = torch.where(here, self.solve(gramian, here, inputs), 0.0)
        return torch.where(finite.unsqueeze(1), weights, torch.nan).to(inputs.losses)
