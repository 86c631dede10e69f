"""The learning rates of a stack."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mtlrun.config.schema import Config
from mtlrun.engine.flat import Flat
from mtlrun.engine.optimizer import momentum
from mtlrun.loss import Strategy


class Rates:
    """Learning rates `[R, P]` of every parameter of every run, times the schedule's factor.

    groups: rates of each run by group (`trunk` and each task), without the factor; current: rates that the optimiser
    uses, a single number if all are the same
    """

    def __init__(self, configs: Sequence[Config], flat: Flat, strategy: Strategy) -> None:
        self.groups = [c.rates for c in configs]
        self._network_size = flat.network_size
        self._base = flat.rates(self.groups, strategy.rates())  # [R, P]
        # the schedule does not apply to parameters of the strategy
        same = self._network_size == self._base.shape[1] and bool((self._base == self._base[0, 0]).all())
        self._single = float(self._base[0, 0]) if same else None
        still = [rates["trunk"] / (1 - momentum(c.optimizer)) for rates, c in zip(self.groups, configs, strict=True)]
        self._still = torch.tensor(still).to(self._base)  # [R]
        self.set_schedule(1.0)

    def set_schedule(self, factor: float) -> None:
        """Sets the factor on the rates of trunk and heads. The strategy's rate stays."""
        self.factor = factor
        self.current: Tensor | float
        if self._single is not None:
            self.current = self._single * factor
        else:
            self.current = self._base * factor
            self.current[:, self._network_size :] = self._base[:, self._network_size :]

    @property
    def proximal(self) -> Tensor:
        """Step size `[R]` of a penalty's proximal step: how far a constant gradient moves the trunk in the limit."""
        return self._still * self.factor
