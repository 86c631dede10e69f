"""The base of schemes with a trunk for each task and a penalty on their weights."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mtlrun.config.schema.sharing import TiedConfig
from mtlrun.sharing.base import Plan
from mtlrun.sharing.none import NoSharing


class Tied(NoSharing):
    """A trunk for each task, as in `NoSharing`, with a penalty Ω on weights: minimises Σ_t w_t L_t + `strength` · Ω.

    Ω is not differentiable where it matters (at 0, at equal singular values). So a separate step follows each step of
    the optimiser: the proximal operator in closed form (Parikh & Boyd, Proximal Algorithms, 2014):

        θ ← argmin_z ½‖z − θ‖² + rate · strength · Ω(z)

    `rate` is the trunk's learning rate times the schedule's factor, divided by 1 − momentum: a constant gradient moves
    parameters that far per step. With plain gradient descent, the fixed points are then the minimisers of the sum
    above. Adam and RMSprop divide each element of the gradient by its root mean square, but not the proximal step. So
    the strength is then in units of each element's root mean square, and the fixed points differ. Exact zeros and lower
    ranks occur with every optimiser.

    The penalty covers weights, not biases, of the trunk's first layer or of all layers (`layers`). If the trunk has no
    layers, it covers the heads' weights on the inputs, separately for each block of heads of one type.
    """

    strength: Tensor

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.configs = [c for c in plan.configs if isinstance(c, TiedConfig)]
        self.register_buffer("strength", torch.tensor([c.strength for c in self.configs]), persistent=False)  # [R]
        self.count = len(self.trunks.weights) if self.configs[0].layers == "all" else 1  # number of tied layers

    @property
    def penalised(self) -> bool:
        return True

    def tied(self, heads: Sequence[Tensor]) -> dict[str, Tensor]:
        """Returns the penalised weights `[R, T, in, out]`: `layer1`, … of the trunk, else `head1`, …."""
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
        """Takes the proximal step of one layer's weights `[R, T, in, out]`, in place, at `rates` `[R]`."""

    @torch.no_grad()
    def penalty_figures(self, heads: Sequence[Tensor]) -> dict[str, Tensor]:
        return self.figures_of(self.tied(heads))

    @abstractmethod
    def figures_of(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns metrics `[R]` of the tied weights."""


def over_runs(values: Tensor) -> Tensor:
    """Reshapes `[R]` to `[R, 1, 1, 1]`, to broadcast over weights."""
    return values.view(-1, 1, 1, 1)


def distance(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns `distance` `[R]` of the tasks' weights from their mean: √(Σ‖w_t − w̄‖² / Σ‖w_t‖²).

    0 if all tasks have the same weights, near 1 for many tasks with unrelated weights.
    """
    apart = sum((w - w.mean(1, keepdim=True)).square().sum((1, 2, 3)) for w in weights.values())
    whole = sum(w.square().sum((1, 2, 3)) for w in weights.values())
    assert isinstance(apart, Tensor) and isinstance(whole, Tensor), "there is a layer"
    return {"distance": (apart / whole).sqrt().masked_fill(whole == 0, 0.0)}


def zeros(groups: Sequence[Tensor]) -> dict[str, Tensor]:
    """Returns `zeros` `[R]`: the share of groups that are exactly 0, from their norms `[R, …]`."""
    flat = torch.cat([norms.flatten(1) for norms in groups], 1)
    return {"zeros": (flat == 0).float().mean(1)}
