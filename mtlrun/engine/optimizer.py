"""torch's optimisers, with a rate of its own for every parameter of every run."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.config import AdamConfig, RmspropConfig, SgdConfig
from mtlrun.engine.flat import Flat

OptimizerConfig = AdamConfig | SgdConfig | RmspropConfig


class FlatOptimizer:
    """Runs a torch optimiser at rate 1 on a zero tensor and adds the step it takes times the rates.

    For all four optimisers the step is proportional to the rate and does not depend on the parameters'
    values, so this is the usual update, with rates `[R, P]`. Weight decay, which does depend on them, is
    applied here: added to the gradient, or for adamw as a factor 1 − rate·decay (Loshchilov & Hutter 2019).
    It never touches the strategy's parameters. Of a stack's members, only `weight_decay` may differ.
    """

    def __init__(self, flat: Flat, configs: Sequence[OptimizerConfig]) -> None:
        self.flat = flat
        config = configs[0]
        self.step_taken = nn.Parameter(torch.zeros_like(flat.values))
        self.step_taken.grad = flat.gradients
        self.optimizer = _torch_optimizer(config, self.step_taken)
        self.decoupled = config.name == "adamw"
        decay = torch.tensor([c.weight_decay for c in configs]).to(flat.values).unsqueeze(1)
        self.decay = decay.expand(flat.values.shape).clone()  # [R, P]
        self.decay[:, flat.network_size :] = 0
        self.decays = any(c.weight_decay for c in configs)
        self.active: Tensor | None = None  # [R, 1] bool: members that still train; None: all

    @torch.no_grad()
    def step(self, rates: Tensor) -> None:
        """Move the parameters along their gradients; rates `[R, P]`. A frozen member's keep every bit."""
        values, gradients = self.flat.values, self.flat.gradients
        before = values.clone() if self.active is not None else None
        if self.decays and self.decoupled:
            values.mul_(1 - rates * self.decay)
        elif self.decays:
            gradients.addcmul_(values, self.decay)
        self.step_taken.zero_()
        self.optimizer.step()
        values.addcmul_(self.step_taken, rates)
        if self.active is not None and before is not None:
            # not by a rate of 0: 0 · nan is nan
            torch.where(self.active, values, before, out=values)

    def state(self) -> dict[str, Tensor]:
        """The optimiser's tensors: moments `[R, P]`, and the step count where it has one."""
        state: dict[str, Any] = self.optimizer.state[self.step_taken]
        return {k: v for k, v in state.items() if isinstance(v, Tensor)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` gave."""
        # a fused optimiser counts its steps on the device, any other on the CPU
        fused, device = self.optimizer.defaults.get("fused"), self.step_taken.device
        self.optimizer.state[self.step_taken] = {
            k: v.to(device if fused or v.dim() else "cpu", copy=True) for k, v in state.items()
        }


def _torch_optimizer(config: OptimizerConfig, parameter: nn.Parameter) -> torch.optim.Optimizer:
    if isinstance(config, AdamConfig):
        # adamw differs from adam in its weight decay alone, which is not torch's business here
        betas = (config.betas[0], config.betas[1])
        return torch.optim.Adam([parameter], lr=1.0, betas=betas, eps=config.eps, amsgrad=config.amsgrad, fused=True)
    if isinstance(config, SgdConfig):
        return torch.optim.SGD([parameter], lr=1.0, momentum=config.momentum, nesterov=config.nesterov, fused=True)
    return torch.optim.RMSprop([parameter], lr=1.0, alpha=config.alpha, eps=config.eps,
                               momentum=config.momentum, centered=config.centered)  # fmt: skip


def clip(gradients: Tensor, norms: Tensor, bounds: Tensor) -> None:
    """Scale each run's gradient `[R, P]`, of norm `norms` `[R]`, down to `bounds` `[R]` (inf: leave it), in place."""
    gradients.mul_((bounds / (norms + 1e-6)).clamp(max=1.0).unsqueeze(1))
