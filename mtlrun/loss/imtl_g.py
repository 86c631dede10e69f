"""Impartial gradients."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, StrategySetup
from mtlrun.loss.cosines import cosines_of, equal_projections
from mtlrun.loss.gramian import GramianStrategy


class ImtlG(GramianStrategy):
    r"""Impartial gradients (Liu, Li, Kuang, Xue, Chen, Yang, Liao & Zhang, ICLR 2021, eq. 6 and 7).

    The weights sum to 1. The direction has the same projection onto every task's unit gradient:

    .. math:: \alpha = \frac{G^{-1} d}{\mathbf{1}^\top G^{-1} d}, \qquad d_t = \|g_t\|

    Changed from the paper:

    - g is the gradient in the shared parameters. The paper's algorithm takes the gradient in the features that the
      heads read: `loss.at=representation`.
    - With three tasks or more the denominator may be below 0, and the published step then ascends on every task. Here
      the weights are divided by its absolute value: the step descends on every task, and the weights sum to −1. `flips`
      in `metrics.csv` counts these steps. Near a denominator of 0 the weights are large, as in the paper;
      `trainer.clip` bounds such steps.
    - Linearly dependent gradients have no inverse of G. The pseudo-inverse of their cosines :math:`C = D^{-1} G
      D^{-1}` takes its place: :math:`G^{-1} d \to D^{-1} C^+ \mathbf{1}` with D = diag(d), so the direction does not
      depend on how a task's loss is scaled. Eigenvalues of C up to T times float32's rounding count as 0. If positive
      multiples of the gradients sum to 0, the weights are 0.
    """

    flips: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        self.register_buffer("flips", torch.zeros(len(setup.configs), dtype=torch.long))

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        impartial = self.impartial(gramian)
        return self.normalised(impartial, impartial.sum(1, keepdim=True))

    def impartial(self, gramian: Tensor) -> Tensor:
        """Returns G⁻¹d `[R, T]`, up to a positive factor."""
        inverse, cosines = cosines_of(gramian)
        return inverse * equal_projections(cosines)

    def normalised(self, weights: Tensor, total: Tensor) -> Tensor:
        """Returns the weights `[R, T]` divided by |total| `[R, 1]`, and counts totals below 0 in `flips`."""
        self.flips.add_((total < 0).squeeze(1))  # in place: assigning an attribute of a module takes longer
        return weights / total.abs().clamp_min_(torch.finfo(total.dtype).tiny)  # 0 where all weights are 0

    def figures(self) -> dict[str, Tensor]:
        return {"flips": self.flips}
