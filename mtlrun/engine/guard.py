"""Keeps a step from changing runs that have ended, and runs with a loss or gradient that is not finite."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from mtlrun.engine.flat import Flat
from mtlrun.engine.optimizer import FlatOptimizer
from mtlrun.loss import Strategy

ALL_FINITE, LOSS = -1, -2  # in `Guard.nonfinite`, where other numbers are columns


class Guard:
    """Copies the state before a step, and restores it for the runs that must not change.

    The parameters of such a run, including those of the strategy, keep every bit. If it `skips`
    (`trainer.on_nan=skip`), a run with a loss or gradient that is not finite keeps all other state too.

    active: `[R, 1]` bool, the runs that still train; None: all
    nonfinite: `[R]`, of the last step: the first column of a gradient that is not finite, LOSS if only a loss is not
    finite, ALL_FINITE if everything is finite; None: everything is finite in all runs
    """

    def __init__(self, flat: Flat, optimizer: FlatOptimizer, strategy: Strategy, skips: bool) -> None:
        self.flat, self.optimizer, self.strategy, self.skips = flat, optimizer, strategy, skips
        self.on_cpu = flat.values.device.type == "cpu"
        self.active: Tensor | None = None
        self.nonfinite: Tensor | None = None
        self._values: Tensor | None = None
        self._moments: dict[str, Tensor] = {}
        self._of_strategy: dict[str, Tensor] = {}

    def begin(self, step: int) -> None:
        """Begins a step. Called before anything is computed."""
        self._values = self.flat.values.clone() if self.skips or self.active is not None else None
        if self.skips:
            self.strategy.turn(step)
            self._of_strategy = _copied(self.strategy.state())

    def check(self, losses: Tensor) -> None:
        """Checks the losses `[R, T]` and the gradients, before they are used."""
        self.nonfinite = self.find_nonfinite(losses)
        if self.nonfinite is not None:
            self._values = self.flat.values.clone() if self._values is None else self._values
            self._moments = _copied(self.optimizer.state) if self.skips else {}

    def keep_parameters(self) -> None:
        """Restores parameters. Called after the optimiser's step."""
        moving = self.active
        if self.nonfinite is not None:
            finite = self._finite(self.nonfinite)
            moving = finite if moving is None else finite & moving
        if moving is not None:
            assert self._values is not None, "copied before"
            # a rate of 0 would not do: 0 · nan is nan
            torch.where(moving, self.flat.values, self._values, out=self.flat.values)

    def keep_state(self) -> None:
        """Restores the states of optimiser and strategy. Called at the end of the step."""
        if self.nonfinite is not None and self.skips:
            finite = self._finite(self.nonfinite)
            _give_back(self.optimizer.state, self._moments, finite)
            _give_back(self.strategy.state(), self._of_strategy, finite)
            self.strategy.taken_back()

    def _finite(self, nonfinite: Tensor) -> Tensor:
        """Returns the runs `[R, 1]` in which everything is finite."""
        return (nonfinite == ALL_FINITE).unsqueeze(1)

    def find_nonfinite(self, losses: Tensor) -> Tensor | None:
        """Returns `nonfinite` for a step with losses `[R, T]`.

        On the CPU, a single sum shows whether everything is finite. On another device, reading that sum would wait, so
        the result is always a tensor.
        """
        gradients = self.flat.gradients
        if not self.on_cpu:
            return _first_nonfinite(gradients, losses)
        if math.isfinite(float(gradients.sum() + losses.sum())):
            return None
        sums = gradients.sum(1) + losses.sum(1)  # [R]
        if self.active is not None:
            sums = sums.where(self.active[:, 0], 0.0)
        rows = (~sums.isfinite()).nonzero()[:, 0]
        if not len(rows):  # only runs that have ended are affected
            return None
        nonfinite = torch.full_like(sums, ALL_FINITE, dtype=torch.long)
        nonfinite[rows] = _first_nonfinite(gradients[rows], losses[rows])
        # finite numbers can have an infinite sum
        return nonfinite if bool((nonfinite != ALL_FINITE).any()) else None


def _first_nonfinite(gradients: Tensor, losses: Tensor) -> Tensor:
    """Returns `nonfinite` for gradients `[n, P]` and losses `[n, T]`, checking every number."""
    bad = ~gradients.isfinite()
    first = torch.where(bad.any(1), bad.to(torch.uint8).argmax(1), ALL_FINITE)
    return torch.where((first == ALL_FINITE) & ~losses.isfinite().all(1), LOSS, first)


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tensors.items()}


def _give_back(tensors: Mapping[str, Tensor], before: Mapping[str, Tensor], finite: Tensor) -> None:
    """Restores tensors `[R, ...]` in place, except for the runs that are `finite` `[R, 1]`.

    A count that all runs share is not restored.
    """
    for name, value in tensors.items():
        if value.dim():
            value.copy_(torch.where(finite.view(-1, *[1] * (value.dim() - 1)), value, before[name]))
