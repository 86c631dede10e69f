"""Conflict-free gradients."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs
from mtlrun.loss.cosines import cosines_of, equal_projections
from mtlrun.loss.gramian import GramianStrategy


class ConfigStrategy(GramianStrategy):
    r"""ConFIG (Liu, Chu & Thuerey, ICLR 2025, arXiv 2408.11104, eq. 2 and 3).

    The direction has the same cosine to every task's gradient. Its length is the sum of the projections of the
    gradients onto it:

    .. math:: u = \frac{U^+ \mathbf{1}}{\|U^+ \mathbf{1}\|}, \qquad \Big(\sum_t \langle g_t, u\rangle\Big)\, u

    The rows of U are the unit gradients u_t. Computed from their cosines C:

    .. math:: U^+ \mathbf{1} = U^\top x = \sum_t w_t g_t, \quad x = C^+ \mathbf{1}, \quad w_t = x_t / \|g_t\|, \quad
        \text{weights } w\, \frac{\mathbf{1}^\top G w}{w^\top G w}

    The direction is that of IMTL-G and does not depend on how a task's loss is scaled. The length does.

    Changed from the paper: eigenvalues of C up to T times float32's rounding count as 0. If positive multiples of the
    gradients sum to 0, the weights are 0.
    """

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        inverse, cosines = cosines_of(gramian)
        weights = inverse * equal_projections(cosines)
        onto = torch.bmm(gramian, weights.unsqueeze(2)).squeeze(2)  # ⟨g_t, v⟩, v the gradients' sum with these weights
        square = (weights * onto).sum(1, keepdim=True)  # ‖v‖², 0 where the weights are
        return weights * (onto.sum(1, keepdim=True) / torch.threshold(square, 0.0, torch.inf))
