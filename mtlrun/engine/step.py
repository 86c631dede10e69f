"""The training step: the same for one run and for a stack of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mtlrun.config import Config
from mtlrun.engine.batches import Batch
from mtlrun.engine.flat import Flat
from mtlrun.engine.optimizer import FlatOptimizer, clip
from mtlrun.loss import Strategy
from mtlrun.lr import group_rates
from mtlrun.model.layers import dropout_mask
from mtlrun.model.network import Network


class Step:
    """Network, strategy and optimiser of a stack, and what one step does with a batch."""

    def __init__(self, configs: Sequence[Config], network: Network, strategy: Strategy) -> None:
        self.network, self.strategy = network, strategy
        self.flat = Flat(network, strategy)
        self.optimizer = FlatOptimizer(self.flat, [c.optimizer for c in configs])
        self.group_rates = [group_rates(c.lr, network.tasks) for c in configs]
        self.rates = self.flat.spread(self.group_rates, strategy.rates())  # [R, P]
        self.base_rates = self.rates
        # one rate for every parameter of every run; a strategy's own parameters follow no schedule
        same = self.flat.network_size == self.rates.shape[1] and bool((self.rates == self.rates[0, 0]).all())
        self.rate = float(self.rates[0, 0]) if same else None
        self.factor = 1.0
        bounds = [c.trainer.clip for c in configs]
        self.clips = any(b is not None for b in bounds)
        self.bounds = torch.tensor([b if b is not None else torch.inf for b in bounds]).to(self.rates)
        self.active: Tensor | None = None  # [R, 1] bool: members that still train; None: all
        self.norms: Tensor | None = torch.zeros(len(configs))  # None: not computed for the last step, so far
        self.changes_gradients = self.clips or (self.optimizer.decays and not self.optimizer.decoupled)
        self.seeds = [c.seed for c in configs]
        self.dropout = configs[0].model.dropout

    def __call__(self, batch: Batch, step: int) -> tuple[Tensor, Tensor]:
        """One step. Returns the losses before it and the weights they got, `[R, T]` each, detached.

        The parameters of a member that is not `active` keep every bit, those of its strategy too.
        """
        before = None if self.active is None else self.flat.values.clone()
        noise = (lambda name, shape: self._noise(step, name, shape)) if self.dropout else None
        losses = self.network.losses(batch.x, batch.targets, noise)  # [R, T]
        values, present = losses.detach(), batch.targets.present
        weights = self.strategy.weights(values, present)  # [R, T]
        # runs share no parameter, so that the sum over runs keeps their gradients apart
        total = (weights * losses).sum()
        gradients = torch.autograd.grad(total, self.flat.network_parameters, allow_unused=True, materialize_grads=True)
        self.flat.set_gradients([*gradients, *self.strategy.gradients(values, weights, present)])
        self.norms = None
        if self.changes_gradients:
            norms = self.gradient_norms()
            if self.clips:
                clip(self.flat.gradients[:, : self.flat.network_size], norms, self.bounds)
        self.optimizer.step(self.rates if self.rate is None else self.rate * self.factor)
        if self.active is not None and before is not None:
            # not by a rate of 0: 0 · nan is nan
            torch.where(self.active, self.flat.values, before, out=self.flat.values)
        return values, weights

    def gradient_norms(self) -> Tensor:
        """Norms `[R]` of the network's gradients in the last step, before clipping and weight decay."""
        if self.norms is None:
            self.norms = torch.linalg.vector_norm(self.flat.gradients[:, : self.flat.network_size], dim=1)
        return self.norms

    def set_schedule(self, factor: float) -> None:
        """Multiply trunk and head rates by a factor; the strategy's own rate stays."""
        self.factor = factor
        if self.rate is not None:
            return
        self.rates = self.base_rates * factor
        self.rates[:, self.flat.network_size :] = self.base_rates[:, self.flat.network_size :]

    def columns(self) -> dict[str, int]:
        """The parameters that the columns of `flat.values` hold, in order, and how many columns each takes."""
        network = self.flat.names[: len(self.flat.network_parameters)]
        strategy = [f"strategy.{self.strategy.saved_name(n)}" for n, _ in self.strategy.named_parameters()]
        return dict(zip([*network, *strategy], self.flat.sizes, strict=True))

    def _noise(self, step: int, name: str, shape: Sequence[int]) -> Tensor:
        return dropout_mask(self.seeds, step, name, shape, self.dropout).to(self.rates)
