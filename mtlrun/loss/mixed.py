"""Runs of one stack with different strategies."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, Strategy, StrategySetup


class Mixed(Strategy):
    """A stack whose runs have different strategies, all of which read only the losses.

    Each strategy computes weights for all R runs, and those of runs with another strategy are ignored. For such a run
    it uses the settings of the first run that has the strategy. Learnt parameters stay `[R, T]`: a run also has
    parameters of the other strategies, whose gradients are 0.
    """

    def __init__(self, kinds: Sequence[type[Strategy]], setup: StrategySetup) -> None:
        """`kinds`: the class of every run's strategy."""
        super().__init__(setup)
        for kind in dict.fromkeys(kinds):
            own = [k is kind for k in kinds]
            first = self.configs[own.index(True)]
            configs = [c if mine else first for c, mine in zip(self.configs, own, strict=True)]
            part = kind(replace(setup, configs=configs))
            self.add_module(kind.__name__, part)
            self.register_buffer(f"own{kind.__name__}", torch.tensor(own).unsqueeze(1), persistent=False)  # [R, 1]
        self.kinds: list[Any] = list(dict.fromkeys(kinds))

    def _owned(self) -> list[tuple[Strategy, Tensor]]:
        return [(getattr(self, k.__name__), self.get_buffer(f"own{k.__name__}")) for k in self.kinds]

    def saved_name(self, name: str) -> str:
        return name  # begins with the name of the part

    def weights(self, inputs: StepInputs) -> Tensor:
        chosen: Tensor | None = None
        for part, own in self._owned():
            weights = part.checked_weights(inputs)
            chosen = weights if chosen is None else torch.where(own, weights, chosen)
        assert chosen is not None, "there is at least one strategy"
        return chosen

    def figures(self) -> dict[str, Tensor]:
        """Returns the metrics of every run's own strategy, nan for the other runs."""
        found: dict[str, Tensor] = {}
        for part, own in self._owned():
            for name, values in part.figures().items():
                mine = own if values.dim() == 2 else own.squeeze(1)
                others = found.get(name, torch.full_like(values, torch.nan, dtype=torch.float64))
                found[name] = torch.where(mine, values.double(), others)
        return found

    def turn(self, step: int) -> None:
        for part, _ in self._owned():
            part.turn(step)

    def taken_back(self) -> None:
        for part, _ in self._owned():
            part.taken_back()

    def rates(self) -> list[float]:
        owned = [(own.flatten().tolist(), part.rates()) for part, own in self._owned()]
        return [next(rates[r] for own, rates in owned if own[r]) for r in range(len(self.configs))]

    def gradients(self, losses: Tensor, weights: Tensor, present: Tensor | None) -> list[Tensor]:
        return [
            torch.where(own, gradient, 0.0)
            for part, own in self._owned()
            for gradient in part.gradients(losses, weights, present)
        ]
