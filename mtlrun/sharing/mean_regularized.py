"""Mean-regularised multi-task learning."""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor

from mtlrun.config.schema.sharing import MeanRegularizedConfig
from mtlrun.sharing.base import Plan
from mtlrun.sharing.soft_l2 import towards_mean
from mtlrun.sharing.tied import Tied, distance, over_runs


class MeanRegularized(Tied):
    """Regularised multi-task learning (Evgeniou & Pontil, KDD 2004): the penalty is `strength` · Σ_t ‖w_t − w̄‖² +
    `ridge` · Σ_t ‖w_t‖². Its proximal step divides the mean w̄ by 1 + 2 · rate · ridge, and deviations from it by
    1 + 2 · rate · (ridge + strength).

    Strength 0 is a separate ridge regression of each task; a large strength is one ridge regression of all tasks. The
    paper has w_t = w₀ + v_t with penalties on both. At the best w₀, a multiple of w̄, these equal the two above.
    """

    ridge: Tensor

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        ridges = [cast(MeanRegularizedConfig, c).ridge for c in self.configs]
        self.register_buffer("ridge", torch.tensor(ridges), persistent=False)  # [R]

    def proximal(self, weight: Tensor, rates: Tensor) -> None:
        # divided by 1 + a throughout, deviations by (1 + a + b) = (1 + a)(1 + b/(1 + a))
        kept = 1 + 2 * rates * self.ridge
        towards_mean(weight, 2 * rates * self.strength / kept)
        weight.div_(over_runs(kept))

    def figures_of(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return distance(weights)
