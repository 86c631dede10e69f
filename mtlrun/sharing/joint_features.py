"""Joint feature selection by the L2,1 norm."""

from collections.abc import Mapping

import torch
from torch import Tensor

from mtlrun.sharing.tied import Tied, over_runs, zeros


class JointFeatures(Tied):
    """Joint features, L2,1 norm (Argyriou, Evgeniou & Pontil 2007; Liu, Ji & Ye, UAI 2009): Ω = Σ_j ‖w_j‖, w_j all
    weights from input j of a layer, over tasks and units. Proximal step: w_j ← (1 − rate · strength/‖w_j‖)₊ w_j. An
    input that no task needs gets weights of exactly 0.

    Argyriou et al. also learn a rotation of the inputs. Without it, this is the group lasso over tasks of Liu et al.
    """

    def proximal(self, weight: Tensor, rates: Tensor) -> None:
        norms = weight.norm(dim=(1, 3), keepdim=True)  # [R, 1, in, 1]
        amounts = over_runs(rates * self.strength)
        # a norm of nan leaves nan in the run
        weight.mul_(torch.where(norms <= amounts, 0.0, 1 - amounts / norms))

    def figures_of(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`zeros`: the share of inputs that no task reads."""
        return zeros([w.norm(dim=(1, 3)) for w in weights.values()])
