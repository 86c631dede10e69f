"""The training step of a stack."""

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
from mtlrun.network.penalties import shrink


class Step:
    """Takes training steps with network, strategy and optimiser of a stack."""

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
        self.norms: Tensor | None = torch.zeros(len(configs))  # None: not yet computed for the last step
        self.seeds, self.dropout = [c.seed for c in configs], first.net.dropout
        self.by_task: CutBackward | PerTaskBackward | None = None  # for `task_gradients`

    def __call__(self, batch: Batch, step: int) -> tuple[Tensor, Tensor]:
        """Takes step number `step`, counted from 0. Returns the losses before it and their weights, `[R, T]`, detached.

        `Guard` protects runs that have ended, and runs with a loss or gradient that is not finite.
        """
        self.guard.begin(step)
        x, targets, present, noise = batch.x, batch.targets, batch.targets.present, self.dropout_masks(step)
        losses, shared = self.backward.forward(x, targets, noise)  # [R, T]; [R, T, D] or None
        published = self.strategy.checked_weights(StepInputs(losses, present, step, shared, self.backward.gramian))
        weights = self.strategy.scaled(published, present)  # [R, T]
        of_heads = self.strategy.own_weights() if self.heads_own else self.strategy.head_weights(weights, present)
        gradients = self.backward.gradients(weights, of_heads, self.strategy.direction)
        self.flat.set_gradients([*gradients, *self.strategy.gradients(losses, published, present)])
        self.guard.check(losses)
        self._change_gradients(step)
        self.optimizer.step(self.rates.current)
        if self.network.sharing.penalised:
            shrink(self.network, self.rates.proximal)
        self.guard.keep_parameters()
        if self.strategy.needs_losses_after:
            with torch.no_grad():
                self.strategy.after(self.network.losses(x, targets, noise), present)
        self.guard.keep_state()
        return losses, weights

    def _change_gradients(self, step: int) -> None:
        """Applies noise, freezing and clipping to the gradients, in this order."""
        self.gradient_noise.add(step)
        if self.frozen:  # clipping and norms then cover only parameters that move
            self.flat.gradients[self.frozen, : self.flat.trunk_size] = 0
        self.norms = None
        if self.clips:
            clip(self.flat.gradients[:, : self.flat.network_size], self.gradient_norms(), self.bounds)
        elif self.optimizer.adds_decay:
            self.gradient_norms()  # computed before the optimiser changes the gradients

    def gradient_norms(self) -> Tensor:
        """Returns norms `[R]` of the network's gradients of the last step, with noise, before clipping and decay."""
        if self.norms is None:
            self.norms = torch.linalg.vector_norm(self.flat.gradients[:, : self.flat.network_size], dim=1)
        return self.norms

    def columns(self) -> dict[str, int]:
        """Returns the names of the parameters in `flat.values`, in order, and the number of columns of each."""
        network = self.flat.names[: len(self.flat.network_parameters)]
        strategy = [f"strategy.{self.strategy.saved_name(n)}" for n, _ in self.strategy.named_parameters()]
        return dict(zip([*network, *strategy], self.flat.sizes, strict=True))

    def task_gradients(self, batch: Batch, step: int) -> Tensor:
        """Returns gradients `[R, T, S]` of every task's unweighted loss with respect to the shared parameters.

        Uses the current network, the gradient factors of the graph, and the dropout masks of this step. The gradient of
        a task without a label in the batch is 0.
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
        """Returns the dropout masks of a step by layer, None without dropout."""
        if not self.dropout:
            return None
        return lambda name, shape: dropout_mask(self.seeds, step, name, shape, self.dropout).to(self.flat.values)
