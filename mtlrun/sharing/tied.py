"""What schemes with a trunk for each task and a penalty on their weights have in common."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mtlrun.config.schema.sharing import TiedConfig
from mtlrun.sharing.base import Plan
from mtlrun.sharing.none import NoSharing


class Tied(NoSharing):
    """A trunk for each task, as in `NoSharing`, and a penalty Ω that ties their weights: minimised is
    Σ_t w_t L_t + `strength` · Ω.

    Ω has no gradient where it matters (at equal singular values, at 0), so that it takes a step of its own after each
    of the optimiser's, its proximal operator in closed form (Parikh & Boyd, Proximal Algorithms, 2014):

        θ ← argmin_z ½‖z − θ‖² + rate · strength · Ω(z)

    `rate` is the trunk's learning rate times the schedule's factor, over 1 − momentum, as a gradient that stays the
    same moves parameters that far. With plain gradient descent the fixed points are then the minimisers of the sum
    above. Adam and RMSprop divide every element of the gradient by its root mean square and leave the proximal step
    as it is: there the strength counts in units of each element's own root mean square, and the fixed points are
    others. Zeros are exact and ranks drop with every optimiser.

    Penalised are weights, not biases, of the trunk's first layer or of all (`layers`); where the trunk has no layers,
    the weights with which the heads read the inputs, in each block of heads of one type.
    """

    strength: Tensor

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.configs = [c for c in plan.configs if isinstance(c, TiedConfig)]
        self.register_buffer("strength", torch.tensor([c.strength for c in self.configs]), persistent=False)  # [R]
        self.count = len(self.trunks.weights) if self.configs[0].layers == "all" else 1  # of the layers that are tied

    @property
    def penalised(self) -> bool:
        return True

    def tied(self, heads: Sequence[Tensor]) -> dict[str, Tensor]:
        """What is penalised, `[R, T, in, out]` each: `layer1`, … of the trunk, or where it has none `head1`, …."""
        if not len(self.trunks.weights):
            return {f"head{i}": weight for i, weight in enumerate(heads, 1)}
        layers: Sequence[nn.Parameter] = list(self.trunks.weights)[: self.count]
        return {f"layer{i}": weight.detach() for i, weight in enumerate(layers, 1)}

    @torch.no_grad()
    def shrink(self, rates: Tensor, heads: Sequence[Tensor]) -> None:
        for weight in self.tied(heads).values():
            self.proximal(weight, rates)

    @abstractmethod
    def proximal(self, weight: Tensor, rates: Tensor) -> None:
        """The proximal step of one layer's weights `[R, T, in, out]`, in place, at `rates` `[R]`."""

    @torch.no_grad()
    def penalty_figures(self, heads: Sequence[Tensor]) -> dict[str, Tensor]:
        return self.figures_of(self.tied(heads))

    @abstractmethod
    def figures_of(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What is to be logged of the tied weights, `[R]` by metric."""


def over_runs(values: Tensor) -> Tensor:
    """`[R]` → `[R, 1, 1, 1]`, to stand beside weights."""
    return values.view(-1, 1, 1, 1)


def distance(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`distance` `[R]`: how far tasks' weights are from their mean, √(Σ‖w_t − w̄‖² / Σ‖w_t‖²): 0 where they are
    the same, near 1 where they have nothing in common and are many."""
    apart = sum((w - w.mean(1, keepdim=True)).square().sum((1, 2, 3)) for w in weights.values())
    whole = sum(w.square().sum((1, 2, 3)) for w in weights.values())
    assert isinstance(apart, Tensor) and isinstance(whole, Tensor), "there is a layer"
    return {"distance": (apart / whole).sqrt().masked_fill(whole == 0, 0.0)}


def zeros(groups: Sequence[Tensor]) -> dict[str, Tensor]:
    """`zeros` `[R]`: the share of groups that are exactly 0, from their norms `[R, …]`."""
    flat = torch.cat([norms.flatten(1) for norms in groups], 1)
    return {"zeros": (flat == 0).float().mean(1)}
