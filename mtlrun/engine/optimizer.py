"""torch's optimisers, with a separate rate for every parameter of every run."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from mtlrun.config.schema import AdamConfig, RmspropConfig, SgdConfig
from mtlrun.engine.flat import Flat

OptimizerConfig = AdamConfig | SgdConfig | RmspropConfig


class FlatOptimizer:
    """Lets a torch optimiser take a step with rate 1 from a zero tensor, and adds this step times the rates.

    For all four optimisers the step is proportional to the rate and does not depend on the parameters' values, so this
    is the usual update, with rates `[R, P]`. If all rates are the same, torch's step is used directly, which moves less
    memory. Weight decay depends on the values and is applied here: added to the gradient, or for adamw as a factor
    1 − rate·decay (Loshchilov & Hutter 2019). It does not apply to the strategy's parameters. Members of a stack may
    differ only in `weight_decay`.

    Calls torch's functions instead of its classes, which cost 25 µs more per step and import torch._dynamo (0.7 s).
    """

    def __init__(self, flat: Flat, configs: Sequence[OptimizerConfig]) -> None:
        self.flat = flat
        self.rule = RULES[type(configs[0])](configs[0])
        self.step_taken = torch.zeros_like(flat.values)
        self.state = self.rule.state(flat.values)
        decay = torch.tensor([c.weight_decay for c in configs]).to(flat.values).unsqueeze(1)
        self.decay = decay.expand(flat.values.shape).clone()  # [R, P]
        self.decay[:, flat.network_size :] = 0
        decays, decoupled = any(c.weight_decay for c in configs), configs[0].name == "adamw"
        self.adds_decay, self.multiplies_decay = decays and not decoupled, decays and decoupled

    @torch.no_grad()
    def step(self, rates: Tensor | float) -> None:
        """Takes a step along the gradients; rates `[R, P]`, or one number for all."""
        values, gradients = self.flat.values, self.flat.gradients
        if self.multiplies_decay:
            values.mul_(1 - rates * self.decay)
        elif self.adds_decay:
            gradients.addcmul_(values, self.decay)
        if isinstance(rates, float):
            self.rule.update(values, gradients, self.state, rates)
        else:
            self.step_taken.zero_()
            self.rule.update(self.step_taken, gradients, self.state, 1.0)
            values.addcmul_(self.step_taken, rates)

    def load(self, state: dict[str, Tensor]) -> None:
        """Restores a saved `state`: moments `[R, P]`, and the step count if there is one."""
        for name, value in state.items():
            self.state[name].copy_(value)


class Rule(ABC):
    """One of torch's update rules. Weight decay is applied by `FlatOptimizer` instead."""

    @abstractmethod
    def __init__(self, config: Any) -> None:
        """config: the settings of the optimiser."""

    @abstractmethod
    def state(self, values: Tensor) -> dict[str, Tensor]:
        """Returns the state before the first step, for parameters `[R, P]`."""

    @abstractmethod
    def update(self, p: Tensor, g: Tensor, state: dict[str, Tensor], rate: float) -> None:
        """Updates parameters in place by their gradients."""


class Adam(Rule):
    """adam and adamw. They differ only in weight decay."""

    def __init__(self, config: AdamConfig) -> None:
        self.config = config
        self.first, self.second = config.betas

    def state(self, values: Tensor) -> dict[str, Tensor]:
        moments = ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if self.config.amsgrad else [])]
        return _zeros(moments, values) | {"step": torch.zeros((), device=values.device)}

    def update(self, p: Tensor, g: Tensor, state: dict[str, Tensor], rate: float) -> None:
        adam(
            [p],
            [g],
            [state["exp_avg"]],
            [state["exp_avg_sq"]],
            [state["max_exp_avg_sq"]] if self.config.amsgrad else [],
            [state["step"]],
            fused=True,
            lr=rate,
            beta1=self.first,
            beta2=self.second,
            eps=self.config.eps,
            amsgrad=self.config.amsgrad,
            weight_decay=0.0,
            maximize=False,
        )


class Sgd(Rule):
    """Stochastic gradient descent."""

    def __init__(self, config: SgdConfig) -> None:
        self.config = config

    def state(self, values: Tensor) -> dict[str, Tensor]:
        return _zeros(["momentum_buffer"] * (self.config.momentum > 0), values)

    def update(self, p: Tensor, g: Tensor, state: dict[str, Tensor], rate: float) -> None:
        # torch would begin with the first gradient, which is momentum · 0 + gradient
        sgd(
            [p],
            [g],
            list(state.values()) or [None],
            momentum=self.config.momentum,
            nesterov=self.config.nesterov,
            fused=True,
            lr=rate,
            dampening=0.0,
            weight_decay=0.0,
            maximize=False,
        )


class Rmsprop(Rule):
    """RMSprop, centred or not."""

    def __init__(self, config: RmspropConfig) -> None:
        self.config = config

    def state(self, values: Tensor) -> dict[str, Tensor]:
        config = self.config
        moments = ["square_avg"] + ["grad_avg"] * config.centered + ["momentum_buffer"] * (config.momentum > 0)
        return _zeros(moments, values) | {"step": torch.zeros(())}  # a count that torch keeps on the CPU

    def update(self, p: Tensor, g: Tensor, state: dict[str, Tensor], rate: float) -> None:
        config = self.config
        rmsprop(
            [p],
            [g],
            [state["square_avg"]],
            [state["grad_avg"]] if config.centered else [],
            [state["momentum_buffer"]] if config.momentum > 0 else [],
            [state["step"]],
            alpha=config.alpha,
            eps=config.eps,
            momentum=config.momentum,
            centered=config.centered,
            foreach=False,
            lr=rate,
            weight_decay=0.0,
        )


RULES: dict[type, type[Rule]] = {AdamConfig: Adam, SgdConfig: Sgd, RmspropConfig: Rmsprop}


def momentum(optimizer: OptimizerConfig) -> float:
    """Returns the momentum of an optimiser, 0 if it has none."""
    return optimizer.momentum if isinstance(optimizer, SgdConfig | RmspropConfig) else 0.0


def _zeros(names: Sequence[str], like: Tensor) -> dict[str, Tensor]:
    return {name: torch.zeros_like(like) for name in names}


def clip(gradients: Tensor, norms: Tensor, bounds: Tensor) -> None:
    """Scales each run's gradient `[R, P]`, of norm `norms` `[R]`, down to `bounds` `[R]` (inf: no bound), in place."""
    # a norm may be inf although the gradient is finite: without a bound, the gradient stays
    factors = torch.where(bounds.isinf(), 1.0, (bounds / (norms + 1e-6)).clamp(max=1.0))
    gradients.mul_(factors.unsqueeze(1))
