"""What a step must not change: runs that have ended, and runs with a loss or a gradient that is not finite."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from mtlrun.engine.flat import Flat
from mtlrun.engine.optimizer import FlatOptimizer
from mtlrun.loss import Strategy

ALL_FINITE, LOSS = -1, -2  # in `Guard.nonfinite`, where other numbers are columns


class Guard:
    """Holds what was before a step, and gives it back to the runs that take no part in it.

    Parameters, those of the strategy too, keep every bit where a run has ended or has a loss or gradient that is not
    finite. Where it `skips` (`trainer.on_nan=skip`), nothing else changes either of a run of the second kind.

    active: `[R, 1]` bool, the runs that still train; None: all
    nonfinite: of the last step, `[R]`: the first column of a gradient that is not finite, ALL_FINITE where all are, and
    LOSS where only a loss is not; None: nothing of the kind in any run
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
        """Before anything is computed."""
        self._values = self.flat.values.clone() if self.skips or self.active is not None else None
        if self.skips:
            self.strategy.turn(step)
            self._of_strategy = _copied(self.strategy.state())

    def check(self, losses: Tensor) -> None:
        """Look at the losses `[R, T]` and the gradients, before they are used."""
        self.nonfinite = self.find_nonfinite(losses)
        if self.nonfinite is not None:
            self._values = self.flat.values.clone() if self._values is None else self._values
            self._moments = _copied(self.optimizer.state) if self.skips else {}

    def keep_parameters(self) -> None:
        """After the parameters have moved."""
        moving = self.active
        if self.nonfinite is not None:
            finite = self._finite(self.nonfinite)
            moving = finite if moving is None else finite & moving
        if moving is not None:
            assert self._values is not None, "copied before"
            # not by a rate of 0: 0 · nan is nan
            torch.where(moving, self.flat.values, self._values, out=self.flat.values)

    def keep_state(self) -> None:
        """At the end of the step."""
        if self.nonfinite is not None and self.skips:
            finite = self._finite(self.nonfinite)
            _give_back(self.optimizer.state, self._moments, finite)
            _give_back(self.strategy.state(), self._of_strategy, finite)
            self.strategy.taken_back()

    def _finite(self, nonfinite: Tensor) -> Tensor:
        """The runs `[R, 1]` in which everything is."""
        return (nonfinite == ALL_FINITE).unsqueeze(1)

    def find_nonfinite(self, losses: Tensor) -> Tensor | None:
        """What `nonfinite` says of a step whose losses are `[R, T]`. On the CPU one sum tells where all is well. On
        another device, where a look at it would wait, the answer is always a tensor."""
        gradients = self.flat.gradients
        if not self.on_cpu:
            return _first_nonfinite(gradients, losses)
        if math.isfinite(float(gradients.sum() + losses.sum())):
            return None
        sums = gradients.sum(1) + losses.sum(1)  # [R]
        if self.active is not None:
            sums = sums.where(self.active[:, 0], 0.0)
        rows = (~sums.isfinite()).nonzero()[:, 0]
        if not len(rows):  # of runs that have ended
            return None
        nonfinite = torch.full_like(sums, ALL_FINITE, dtype=torch.long)
        nonfinite[rows] = _first_nonfinite(gradients[rows], losses[rows])
        # none of them: finite numbers with an infinite sum
        return nonfinite if bool((nonfinite != ALL_FINITE).any()) else None


def _first_nonfinite(gradients: Tensor, losses: Tensor) -> Tensor:
    """What `nonfinite` says of gradients `[n, P]` and losses `[n, T]`, by a look at each."""
    bad = ~gradients.isfinite()
    first = torch.where(bad.any(1), bad.to(torch.uint8).argmax(1), ALL_FINITE)
    return torch.where((first == ALL_FINITE) & ~losses.isfinite().all(1), LOSS, first)


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tensors.items()}


def _give_back(tensors: Mapping[str, Tensor], before: Mapping[str, Tensor], finite: Tensor) -> None:
    """Give back to tensors `[R, ...]` what they held before, but for the runs that are `finite` `[R, 1]`. A count that
    all runs share goes on."""
    for name, value in tensors.items():
        if value.dim():
            value.copy_(torch.where(finite.view(-1, *[1] * (value.dim() - 1)), value, before[name]))
