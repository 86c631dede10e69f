"""Soft parameter sharing by an L2 distance."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtlrun.sharing.tied import Tied, distance, over_runs


class SoftL2(Tied):
    """Soft parameter sharing (Duong, Cohn, Bird & Cook, ACL 2015): Ω = Σ_t ‖θ_t − θ̄‖², θ̄ their mean over tasks, for
    weights and biases of the tied layers. The proximal step keeps the mean and divides deviations from it by
    1 + 2 · rate · strength.

    Strength 0 is `none`. With infinite strength all trunks are the same and move by the mean of the tasks' steps: with
    plain gradient descent at rate r, this is hard sharing whose trunk has the rate r/T. 1e12 ties exactly.

    The paper ties two networks to each other. If the trunk has no layers, biases of the heads are not tied.
    """

    def proximal(self, weight: Tensor, rates: Tensor) -> None:
        towards_mean(weight, 2 * rates * self.strength)

    @torch.no_grad()
    def shrink(self, rates: Tensor, heads: Sequence[Tensor]) -> None:
        super().shrink(rates, heads)
        for bias in list(self.trunks.biases)[: self.count]:
            self.proximal(bias.detach(), rates)

    def figures_of(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return distance(weights)


def towards_mean(weight: Tensor, pull: Tensor) -> None:
    """Divides deviations from the mean over tasks by 1 + pull `[R]`, in place. A pull of 0 changes no bit."""
    weight.lerp_(weight.mean(1, keepdim=True), over_runs(pull / (1 + pull)))
