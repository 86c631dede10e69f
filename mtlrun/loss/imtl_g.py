"""Impartial gradients."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, StrategySetup
from mtlrun.loss.cosines import cosines_of, equal_projections
from mtlrun.loss.gramian import GramianStrategy


class ImtlG(GramianStrategy):
    r"""Impartial gradients (Liu, Li, Kuang, Xue, Chen, Yang, Liao & Zhang, ICLR 2021, eq. 6 and 7).

    Weights that sum to 1 and give a direction with the same projection onto every task's gradient:

    .. math:: \alpha = \frac{G^{-1} d}{\mathbf{1}^\top G^{-1} d}, \qquad d_t = \|g_t\|

    Changed from the paper: g is the gradient in the shared parameters; the paper's algorithm takes that in the
    features that they give, which is `loss.at=representation`. With three tasks or more the denominator may be
    below 0, and the published step then ascends on every task. It is divided by its absolute value, so that the
    step descends on each of them (and the weights sum to −1); `flips` in `metrics.csv` counts these steps. Near a
    denominator of 0 weights are large, as published: `trainer.clip` bounds such steps. Where gradients depend on
    each other linearly there is no inverse: it is then the pseudo-inverse of their cosines :math:`C = D^{-1} G
    D^{-1}`, :math:`G^{-1} d \to D^{-1} C^+ \mathbf{1}` with D = diag(d), so that the direction is the same however
    a task's loss is scaled; eigenvalues of C up to T times float32's rounding count as 0. Where positive multiples
    of such gradients sum to 0, weights are 0.
    """

    flips: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        self.register_buffer("flips", torch.zeros(len(setup.configs), dtype=torch.long))

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        impartial = self.impartial(gramian)
        return self.normalised(impartial, impartial.sum(1, keepdim=True))

    def impartial(self, gramian: Tensor) -> Tensor:
        """G⁻¹d `[R, T]`, times a positive number."""
        inverse, cosines = cosines_of(gramian)
        return inverse * equal_projections(cosines)

    def normalised(self, weights: Tensor, total: Tensor) -> Tensor:
        """Weights `[R, T]` over |total| `[R, 1]`; counts where it is below 0."""
        self.flips.add_((total < 0).squeeze(1))  # no assignment: that of a module takes longer
        return weights / total.abs().clamp_min_(torch.finfo(total.dtype).tiny)  # 0 where all weights are 0

    def figures(self) -> dict[str, Tensor]:
        return {"flips": self.flips}
