"""Sparse weights."""

from collections.abc import Mapping

from torch import Tensor

from mtlrun.sharing.tied import Tied, over_runs, zeros


class L1(Tied):
    """L1 norm (Tibshirani 1996): Ω = Σ |w|, over tasks too: nothing is shared but the wish for few weights. Proximal
    step: w ← sign(w) (|w| − rate · strength)₊, exactly 0 where it is 0. Beside `joint_features` it tells what is
    gained by choosing the same inputs for all tasks.
    """

    def proximal(self, weight: Tensor, rates: Tensor) -> None:
        amounts = over_runs(rates * self.strength)
        weight.sub_(weight.clamp(-amounts, amounts))

    def figures_of(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`zeros`: the share of weights that are 0."""
        return zeros([w.abs() for w in weights.values()])
