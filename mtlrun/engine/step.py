"""The training step: the same for one run and for a stack of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mtlrun.config.schema import Config
from mtlrun.engine.backward import CutBackward, PerTaskBackward, make_backward
from mtlrun.engine.batches import Batch
from mtlrun.engine.flat import Flat
from mtlrun.engine.gradient_noise import GradientNoise
from mtlrun.engine.guard import Guard
from mtlrun.engine.optimizer import FlatOptimizer, clip
from mtlrun.engine.rates import Rates
from mtlrun.loss import StepInputs, Strategy
from mtlrun.model.layers import dropout_mask
from mtlrun.model.trunks import Noise
from mtlrun.network.network import Network


class Step:
    """Network, strategy and optimiser of a stack, and what one step does with a batch."""

    def __init__(self, configs: Sequence[Config], network: Network, strategy: Strategy) -> None:
        first = configs[0]
        self.network, self.strategy = network, strategy
        self.flat = Flat(network, strategy)
        self.backward = make_backward(first.loss, strategy, network, self.flat)
        self.optimizer = FlatOptimizer(self.flat, [c.optimizer for c in configs])
        self.rates = Rates(configs, self.flat, strategy)
        self.guard = Guard(self.flat, self.optimizer, strategy, first.trainer.on_nan == "skip")
        self.gradient_noise = GradientNoise(configs, self.flat)
        self.heads_own = first.loss.heads == "own"
        bounds = [c.trainer.clip for c in configs]
        self.clips = any(b is not None for b in bounds)
        self.bounds = torch.tensor([b if b is not None else torch.inf for b in bounds]).to(self.flat.values)
        self.frozen = [r for r, c in enumerate(configs) if c.net.freeze]
        self.norms: Tensor | None = torch.zeros(len(configs))  # None: not computed for the last step, so far
        self.seeds, self.dropout = [c.seed for c in configs], first.net.dropout
        self.by_task: CutBackward | PerTaskBackward | None = None  # for a look at the tasks' gradients

    def __call__(self, batch: Batch, step: int) -> tuple[Tensor, Tensor]:
        """One step, counted from 0. Returns the losses before it and the weights they got, `[R, T]` each, detached.

        Runs that have ended, and runs with a loss or gradient that is not finite, keep what `Guard` says.
        """
        self.guard.begin(step)
        x, targets, present, noise = batch.x, batch.targets, batch.targets.present, self.dropout_masks(step)
        losses, shared = self.backward.forward(x, targets, noise)  # [R, T], [R, T, D] where asked for
        published = self.strategy.checked_weights(StepInputs(losses, present, step, shared, self.backward.gramian))
        weights = self.strategy.scaled(published, present)  # [R, T]
        of_heads = self.strategy.own_weights() if self.heads_own else self.strategy.head_weights(weights, present)
        gradients = self.backward.gradients(weights, of_heads, self.strategy.direction)
        self.flat.set_gradients([*gradients, *self.strategy.gradients(losses, published, present)])
        self.guard.check(losses)
        self._change_gradients(step)
        self.optimizer.step(self.rates.current)
        if self.network.sharing.penalised:
            self.network.shrink(self.rates.proximal)
        self.guard.keep_parameters()
        if self.strategy.needs_losses_after:
            with torch.no_grad():
                self.strategy.after(self.network.losses(x, targets, noise), present)
        self.guard.keep_state()
        return losses, weights

    def _change_gradients(self, step: int) -> None:
        """Noise, freezing and clipping, in this order."""
        self.gradient_noise.add(step)
        if self.frozen:  # so that clipping and norms are about what moves
            self.flat.gradients[self.frozen, : self.flat.trunk_size] = 0
        self.norms = None
        if self.clips:
            clip(self.flat.gradients[:, : self.flat.network_size], self.gradient_norms(), self.bounds)
        elif self.optimizer.adds_decay:
            self.gradient_norms()  # before the optimiser changes the gradients

    def gradient_norms(self) -> Tensor:
        """Norms `[R]` of the network's gradients in the last step, noise included, before clipping and weight decay."""
        if self.norms is None:
            self.norms = torch.linalg.vector_norm(self.flat.gradients[:, : self.flat.network_size], dim=1)
        return self.norms

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
        if self.by_task is None:
            if self.network.pulls_back:
                self.by_task = CutBackward(self.network, self.flat, "parameters")
            else:
                self.by_task = PerTaskBackward(self.network, self.flat)
        _, gradients = self.by_task.forward(batch.x, batch.targets, self.dropout_masks(step))
        assert gradients is not None, "it was not asked for the Gramian alone"
        return gradients[..., : self.flat.shared_size]

    def dropout_masks(self, step: int) -> Noise | None:
        """The masks of a step by layer, None without dropout."""
        if not self.dropout:
            return None
        return lambda name, shape: dropout_mask(self.seeds, step, name, shape, self.dropout).to(self.flat.values)
