"""The training step: the same for one run and for a stack of them."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtlrun.config.graph import NOTHING
from mtlrun.config.schema import Config, RmspropConfig, SgdConfig
from mtlrun.config.schema.loss import GradientLossConfig, LossConfig
from mtlrun.engine.backward import Apart, Split, Whole
from mtlrun.engine.batches import Batch
from mtlrun.engine.flat import Flat
from mtlrun.engine.optimizer import FlatOptimizer, OptimizerConfig, clip
from mtlrun.loss import StepInputs, Strategy
from mtlrun.model.layers import dropout_mask, generator
from mtlrun.model.trunks.mlp import Noise
from mtlrun.network.heads import TiedBlock
from mtlrun.network.network import Network

ALL_FINITE, LOSS = -1, -2  # in `Step.nonfinite`, where other numbers are columns


class Step:
    """Network, strategy and optimiser of a stack, and what one step does with a batch."""

    def __init__(self, configs: Sequence[Config], network: Network, strategy: Strategy) -> None:
        self.network, self.strategy = network, strategy
        self.flat = Flat(network, strategy)
        self.backward = _backward(configs[0].loss, network, self.flat, strategy.gramian_only)
        self.optimizer = FlatOptimizer(self.flat, [c.optimizer for c in configs])
        self.group_rates = [c.rates for c in configs]
        self.rates = self.flat.rates(self.group_rates, strategy.rates())  # [R, P]
        self.base_rates = self.rates
        # one rate for every parameter of every run; a strategy's own parameters follow no schedule
        same = self.flat.network_size == self.rates.shape[1] and bool((self.rates == self.rates[0, 0]).all())
        self.rate = float(self.rates[0, 0]) if same else None
        self.factor = 1.0
        # how far a gradient that stays the same moves the trunk, of each run: what a penalty's proximal step goes by
        self.proximal_rates = torch.tensor(
            [rates["trunk"] / (1 - _momentum(c.optimizer)) for rates, c in zip(self.group_rates, configs, strict=True)]
        ).to(self.rates)
        self.own = configs[0].loss.heads == "own"
        bounds = [c.trainer.clip for c in configs]
        self.clips = any(b is not None for b in bounds)
        self.bounds = torch.tensor([b if b is not None else torch.inf for b in bounds]).to(self.rates)
        noisy = {r: c.trainer.gradient_noise for r, c in enumerate(configs) if c.trainer.gradient_noise}
        self.noisy_seeds = [configs[r].seed for r in noisy]  # of the n runs with noise, as what follows
        self.noisy = torch.tensor(list(noisy), dtype=torch.long, device=self.rates.device)
        self.noise_levels = torch.tensor(list(noisy.values())).to(self.rates)
        self.frozen = [r for r, c in enumerate(configs) if c.net.freeze]
        self.active: Tensor | None = None  # [R, 1] bool: members that still train; None: all
        self.norms: Tensor | None = torch.zeros(len(configs))  # None: not computed for the last step, so far
        self.changes_gradients = self.clips or (self.optimizer.decays and not self.optimizer.decoupled)
        self.skips = configs[0].trainer.on_nan == "skip"
        self.on_cpu = self.rates.device.type == "cpu"
        # of the last step, `[R]`: the first column of a gradient that is not finite, ALL_FINITE where all are, and
        # LOSS where only a loss is not; None: nothing of the kind in any run
        self.nonfinite: Tensor | None = None
        self.seeds = [c.seed for c in configs]
        self.dropout = configs[0].net.dropout
        self.apart: Split | Apart | None = None  # for a look at the tasks' gradients

    def __call__(self, batch: Batch, step: int) -> tuple[Tensor, Tensor]:
        """One step. Returns the losses before it and the weights they got, `[R, T]` each, detached.

        The parameters of a member that is not `active` keep every bit, those of its strategy too; so do those of a
        member with a loss or gradient that is not finite (`nonfinite`). With `trainer.on_nan=skip` nothing else of that
        member changes either.
        """
        before = self.flat.values.clone() if self.skips or self.active is not None else None
        state: dict[str, Tensor] = {}
        if self.skips:
            self.strategy.turn(step)
            state = _copied(self.strategy.state())
        present = batch.targets.present
        noise = self._dropout(step)
        losses, shared = self.backward.forward(batch.x, batch.targets, noise)  # [R, T], [R, T, D] where asked for
        seen = StepInputs(losses, present, step, shared, self.backward.gramian)
        published = self.strategy.checked_weights(seen)  # [R, T]
        weights = self.strategy.scaled(published, present)
        of_heads = self.strategy.own_weights() if self.own else self.strategy.head_weights(weights, present)
        gradients = self.backward.gradients(weights, of_heads, self.strategy.direction)
        self.flat.set_gradients([*gradients, *self.strategy.gradients(losses, published, present)])
        self.nonfinite = self._nonfinite_columns(losses)
        if self.noisy_seeds:
            self._add_noise(step)
        if self.frozen:  # so that clipping and norms are about what moves
            self.flat.gradients[self.frozen, : self.flat.trunk_size] = 0
        self.norms = None
        moments = self.optimizer.state if self.nonfinite is not None and self.skips else {}
        moments = _copied(moments)
        if self.nonfinite is not None and before is None:
            before = self.flat.values.clone()
        if self.changes_gradients:
            norms = self.gradient_norms()
            if self.clips:
                clip(self.flat.gradients[:, : self.flat.network_size], norms, self.bounds)
        self.optimizer.step(self.rates if self.rate is None else self.rate * self.factor)
        if self.network.sharing.penalised:
            self.network.shrink(self.proximal_rates * self.factor)
        fine = None if self.nonfinite is None else (self.nonfinite == ALL_FINITE).unsqueeze(1)  # [R, 1]
        moving = self.active if fine is None else fine if self.active is None else fine & self.active
        if moving is not None and before is not None:
            # not by a rate of 0: 0 · nan is nan
            torch.where(moving, self.flat.values, before, out=self.flat.values)
        if self.strategy.needs_losses_after:
            with torch.no_grad():
                self.strategy.after(self.network.losses(batch.x, batch.targets, noise), present)
        if fine is not None and self.skips:
            _take_back(self.optimizer.state, moments, fine)
            _take_back(self.strategy.state(), state, fine)
            self.strategy.taken_back()
        return losses, weights

    def _nonfinite_columns(self, losses: Tensor) -> Tensor | None:
        """What `nonfinite` says of this step, whose losses are `[R, T]`. On the CPU one sum tells where all is well. On
        another device, where a look at it would wait, the answer is always a tensor."""
        gradients = self.flat.gradients
        if self.on_cpu:
            if math.isfinite(float(gradients.sum() + losses.sum())):
                return None
            sums = gradients.sum(1) + losses.sum(1)  # [R]
            if self.active is not None:
                sums = sums.where(self.active[:, 0], 0.0)
            rows = (~sums.isfinite()).nonzero()[:, 0]
            if not len(rows):  # of runs that have ended
                return None
            nonfinite = torch.full_like(sums, ALL_FINITE, dtype=torch.long)
            nonfinite[rows] = self._first_nonfinite(gradients[rows], losses[rows])
            # none of them: finite numbers with an infinite sum
            return nonfinite if bool((nonfinite != ALL_FINITE).any()) else None
        return self._first_nonfinite(gradients, losses)

    def _first_nonfinite(self, gradients: Tensor, losses: Tensor) -> Tensor:
        """The same of gradients `[n, P]` and losses `[n, T]`, by a look at each."""
        bad = ~gradients.isfinite()
        found = torch.where(bad.any(1), bad.to(torch.uint8).argmax(1), ALL_FINITE)
        return torch.where((found == ALL_FINITE) & ~losses.isfinite().all(1), LOSS, found)

    def gradient_norms(self) -> Tensor:
        """Norms `[R]` of the network's gradients in the last step, noise included, before clipping and weight decay."""
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

    def task_gradients(self, batch: Batch, step: int) -> Tensor:
        """Gradients `[R, T, S]` of every task's own loss, unweighted, with respect to the shared parameters.

        At the network as it stands, along the graph with its factors, with the dropout masks of this step. A task
        without a label in the batch has 0 throughout.
        """
        if self.apart is None:
            self.apart = (
                Split(self.network, self.flat, "parameters")
                if pulls_back(self.network)
                else Apart(self.network, self.flat)
            )
        _, gradients = self.apart.forward(batch.x, batch.targets, self._dropout(step))
        assert gradients is not None, "it was not asked for the Gramian alone"
        return gradients[..., : self.flat.shared_size]

    def _dropout(self, step: int) -> Noise | None:
        """The masks of a step by layer, None without dropout."""
        if not self.dropout:
            return None
        return lambda name, shape: self._noise(step, name, shape)

    def _noise(self, step: int, name: str, shape: Sequence[int]) -> Tensor:
        return dropout_mask(self.seeds, step, name, shape, self.dropout).to(self.rates)

    def _add_noise(self, step: int) -> None:
        """Add to the trunk's gradient g a vector a·|g|·z/|z| with z from N(0, 1), a = `gradient_noise`.

        z is drawn from (seed, step). Runs without noise keep every bit.
        """
        size = self.flat.trunk_size
        shared = self.flat.gradients[:, :size]
        draws = [torch.randn(size, generator=generator(seed, "gradient_noise", step)) for seed in self.noisy_seeds]
        z = torch.stack(draws).to(shared)  # [n, S]
        # float64, as squares may overflow where the gradient itself does not
        norms, lengths = (torch.linalg.vector_norm(v, dim=1, dtype=torch.float64) for v in (shared[self.noisy], z))
        factors = self.noise_levels * (norms / lengths).to(shared)
        shared.index_add_(0, self.noisy, z * factors.unsqueeze(1))


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tensors.items()}


def _take_back(tensors: Mapping[str, Tensor], before: Mapping[str, Tensor], fine: Tensor) -> None:
    """Give back to tensors `[R, ...]` what they held before, but for the runs that are `fine`, `[R, 1]`. A count that
    all runs share goes on."""
    for name, value in tensors.items():
        if value.dim():
            value.copy_(torch.where(fine.view(-1, *[1] * (value.dim() - 1)), value, before[name]))


def pulls_back(network: Network) -> bool:
    """Whether gradients by task are to be had without autograd's passes through the trunk: every loss moves all that it
    reaches, through heads of its own that read a layer."""
    plain = all(not isinstance(b, TiedBlock) and b.specs[0].trunk.at != NOTHING for b in network.blocks)
    return network.sharing.pulls_back and not network.graph.constants and plain


def _momentum(optimizer: OptimizerConfig) -> float:
    """What share of the last step an optimiser takes again."""
    return optimizer.momentum if isinstance(optimizer, SgdConfig | RmspropConfig) else 0.0


def _backward(loss: LossConfig, network: Network, flat: Flat, gramian_only: bool) -> Split | Whole | Apart:
    """How a step of this strategy goes back from the losses."""
    by_gradients = isinstance(loss, GradientLossConfig)
    if not by_gradients and loss.heads != "own" and not network.graph.constants:
        return Whole(network, flat)
    if not pulls_back(network):
        return Apart(network, flat)
    if isinstance(loss, GradientLossConfig):
        return Split(network, flat, loss.at, gramian_only)
    # weights from losses alone: their sum serves the trunk, and heads without it are cut off there
    return Split(network, flat, "representation")
