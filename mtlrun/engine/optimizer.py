"""torch's optimisers, with a rate of its own for every parameter of every run."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from mtlrun.config.schema import AdamConfig, RmspropConfig, SgdConfig
from mtlrun.engine.flat import Flat

OptimizerConfig = AdamConfig | SgdConfig | RmspropConfig
Update = Callable[[Tensor, Tensor, dict[str, Tensor], float], None]  # of a parameter, by its gradient, at a rate


class FlatOptimizer:
    """Has a torch optimiser take its step at rate 1 from a zero tensor, and adds that step times the rates.

    For all four optimisers the step is proportional to the rate and does not depend on the parameters'
    values, so this is the usual update, with rates `[R, P]`. Where one rate serves all, torch's own step is
    taken, which moves less memory. Weight decay, which does depend on the values, is applied here: added to
    the gradient, or for adamw as a factor 1 − rate·decay (Loshchilov & Hutter 2019). It never touches the
    strategy's parameters. Of a stack's members, only `weight_decay` may differ.

    torch's functions are called, not its classes: those cost 25 µs more per step, and import torch._dynamo (0.7 s).
    """

    def __init__(self, flat: Flat, configs: Sequence[OptimizerConfig]) -> None:
        self.flat = flat
        config = configs[0]
        self.step_taken = torch.zeros_like(flat.values)
        self.state, self.update = _begin(config, flat.values)
        self.decoupled = config.name == "adamw"
        decay = torch.tensor([c.weight_decay for c in configs]).to(flat.values).unsqueeze(1)
        self.decay = decay.expand(flat.values.shape).clone()  # [R, P]
        self.decay[:, flat.network_size :] = 0
        self.decays = any(c.weight_decay for c in configs)

    @torch.no_grad()
    def step(self, rates: Tensor | float) -> None:
        """Move the parameters along their gradients; rates `[R, P]`, or one for all."""
        values, gradients = self.flat.values, self.flat.gradients
        if self.decays and self.decoupled:
            values.mul_(1 - rates * self.decay)
        elif self.decays:
            gradients.addcmul_(values, self.decay)
        if isinstance(rates, float):
            self.update(values, gradients, self.state, rates)
        else:
            self.step_taken.zero_()
            self.update(self.step_taken, gradients, self.state, 1.0)
            values.addcmul_(self.step_taken, rates)

    def load(self, state: dict[str, Tensor]) -> None:
        """Take over a saved `state`: moments `[R, P]`, and the step count where there is one."""
        for name, value in state.items():
            self.state[name].copy_(value)


def _begin(config: OptimizerConfig, values: Tensor) -> tuple[dict[str, Tensor], Update]:
    """The optimiser's state before the first step, and its update."""
    if isinstance(config, AdamConfig):
        # adamw differs from adam in its weight decay alone, which is not torch's business here
        first, second = config.betas

        def by_adam(p: Tensor, g: Tensor, state: dict[str, Tensor], rate: float) -> None:
            largest = [state["max_exp_avg_sq"]] if config.amsgrad else []
            adam(
                [p],
                [g],
                [state["exp_avg"]],
                [state["exp_avg_sq"]],
                largest,
                [state["step"]],
                fused=True,
                lr=rate,
                beta1=first,
                beta2=second,
                eps=config.eps,
                amsgrad=config.amsgrad,
                weight_decay=0.0,
                maximize=False,
            )

        moments = ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if config.amsgrad else [])]
        return _zeros(moments, values) | {"step": torch.zeros((), device=values.device)}, by_adam
    if isinstance(config, SgdConfig):

        def by_sgd(p: Tensor, g: Tensor, state: dict[str, Tensor], rate: float) -> None:
            # torch would begin with the first gradient, which is momentum · 0 + gradient
            sgd(
                [p],
                [g],
                list(state.values()) or [None],
                momentum=config.momentum,
                nesterov=config.nesterov,
                fused=True,
                lr=rate,
                dampening=0.0,
                weight_decay=0.0,
                maximize=False,
            )

        return _zeros(["momentum_buffer"] * (config.momentum > 0), values), by_sgd

    def by_rmsprop(p: Tensor, g: Tensor, state: dict[str, Tensor], rate: float) -> None:
        centre = [state["grad_avg"]] if config.centered else []
        momentum = [state["momentum_buffer"]] if config.momentum > 0 else []
        rmsprop(
            [p],
            [g],
            [state["square_avg"]],
            centre,
            momentum,
            [state["step"]],
            alpha=config.alpha,
            eps=config.eps,
            momentum=config.momentum,
            centered=config.centered,
            foreach=False,
            lr=rate,
            weight_decay=0.0,
        )

    moments = ["square_avg"] + ["grad_avg"] * config.centered + ["momentum_buffer"] * (config.momentum > 0)
    return _zeros(moments, values) | {"step": torch.zeros(())}, by_rmsprop  # a count that torch keeps on the CPU


def _zeros(names: Sequence[str], like: Tensor) -> dict[str, Tensor]:
    return {name: torch.zeros_like(like) for name in names}


def clip(gradients: Tensor, norms: Tensor, bounds: Tensor) -> None:
    """Scale each run's gradient `[R, P]`, of norm `norms` `[R]`, down to `bounds` `[R]` (inf: leave it), in place."""
    # a norm may be inf while the gradient is finite: without a bound that is no reason to touch it
    factors = torch.where(bounds.isinf(), 1.0, (bounds / (norms + 1e-6)).clamp(max=1.0))
    gradients.mul_(factors.unsqueeze(1))
