"""Sparse weights."""

from collections.abc import Mapping

from torch import Tensor

from mtlrun.sharing.tied import Tied, over_runs, zeros


class L1(Tied):
    """L1 norm (Tibshirani 1996): Ω = Σ |w| over all tasks. Its step w ← sign(w) (|w| − rate · strength)₊ gives
    exact zeros. Tasks share nothing. The difference to `joint_features` is the gain from selecting the same inputs for
    all tasks.
    """

    def proximal(self, weight: Tensor, rates: Tensor) -> None:
        amounts = over_runs(rates * self.strength)
        weight.sub_(weight.clamp(-amounts, amounts))

    def figures_of(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`zeros`: the share of weights that are 0."""
        return zeros([w.abs() for w in weights.values()])
