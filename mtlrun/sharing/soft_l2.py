"""Soft parameter sharing by an L2 distance."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtlrun.sharing.tied import Tied, distance, over_runs


class SoftL2(Tied):
    """Soft parameter sharing (Duong, Cohn, Bird & Cook, ACL 2015): Ω = Σ_t ‖θ_t − θ̄‖², θ̄ their mean over tasks, over
    the weights and the biases of the tied layers. Proximal step: the mean stays, deviations from it are divided by
    1 + 2 · rate · strength.

    Strength 0 is `none`. Towards infinity the trunks are one, which moves by the mean of the tasks' steps: with plain
    gradient descent at a rate r this is hard sharing whose trunk has the rate r/T. 1e12 ties exactly.

    The paper ties two networks, to each other. In heads without a trunk intercepts are left free.
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
    """Deviations from the mean over tasks divided by 1 + pull `[R]`, in place; a pull of 0 changes no bit."""
    weight.lerp_(weight.mean(1, keepdim=True), over_runs(pull / (1 + pull)))
