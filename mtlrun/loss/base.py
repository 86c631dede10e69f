"""The interface of a loss strategy."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mtlrun.util.errors import TrainingError
from mtlrun.util.registry import REFERENCES


@dataclass(frozen=True)
class StrategySetup:
    """The R runs of a stack, as a strategy sees them.

    configs: the strategy's settings, one per run; tasks: the T tasks in the order of the losses; noise: (a, c) of
    each task's likelihood, exp(−aL/σ²…) as in `Uncertainty`; seeds: one per run; epoch_steps: steps of an epoch;
    shared: the largest D that gradients in shared parameters can have, in any company of runs
    """

    configs: Sequence[Any]
    tasks: Sequence[str]
    noise: Sequence[tuple[float, float]]
    seeds: Sequence[int]
    epoch_steps: int
    shared: int

    def values(self, name: str) -> Tensor:
        """The setting `name` of every run, `[R, 1]` float32."""
        return torch.tensor([[float(getattr(c, name))] for c in self.configs])


@dataclass(frozen=True)
class StepInputs:
    """What a strategy sees of one step.

    losses: `[R, T]` before the step, detached, 0 for a task without a label; present: `[R, T]`, which tasks have a
    label in the batch (None: all); step: counted from 0; gradients: `[R, T, D]`, the tasks' own gradients in what
    they share, 0 for a task without a label (only for a strategy that `needs_gradients`); gramian: `[R, T, T]` float64,
    their inner products, in place of them (perhaps, for one that is `gramian_only`)
    """

    losses: Tensor
    present: Tensor | None
    step: int
    gradients: Tensor | None = None
    gramian: Tensor | None = None

    def products(self) -> Tensor:
        """The Gramian `[R, T, T]` float64, for a strategy that `needs_gradients`."""
        if self.gramian is not None:
            return self.gramian
        assert self.gradients is not None, "needs_gradients"
        return torch.bmm(self.gradients, self.gradients.mT).double()

    def norms(self) -> Tensor:
        """The gradients' lengths `[R, T]`, for a strategy that `needs_gradients`."""
        if self.gramian is not None:
            return self.gramian.diagonal(dim1=1, dim2=2).sqrt().to(self.losses)
        assert self.gradients is not None, "needs_gradients"
        return torch.linalg.vector_norm(self.gradients, dim=2)


class Strategy(nn.Module, ABC):
    """Weights of the task losses, for a stack of R runs with T tasks each.

    Learnt parameters are `nn.Parameter`s `[R, T]`; they are trained at the rates `rates` `[R]` by the
    run's own optimiser, from the gradients that `gradients` returns. State goes into persistent buffers
    `[R, …]`, so that it is part of every checkpoint; constants into buffers that are not persistent. Random numbers
    come from `parts.Stream`s, which have no state. Nothing waits for a number out of a tensor; what a
    run gets is the same in any stack, but for the last digits.
    """

    needs_gradients: ClassVar[bool] = False
    gramian_only: ClassVar[bool] = False  # of the gradients it reads inner products alone, and `direction` is as below
    needs_losses_after: ClassVar[bool] = False  # of the same batch, after the parameters have moved: `after` gets them

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__()
        self.configs, self.tasks = list(setup.configs), list(setup.tasks)
        summed = [[c.scale == "sum_to_T"] for c in setup.configs]
        self.register_buffer("summed", torch.tensor(summed), persistent=False)  # [R, 1]
        self.sums = any(s for (s,) in summed)
        factors = torch.tensor([[c.factor(t) for t in setup.tasks] for c in setup.configs])
        self.register_buffer("user_weights", factors, persistent=False)  # [R, T], loss.weights
        self.has_user_weights = bool((factors != 1).any())

    summed: Tensor
    user_weights: Tensor

    @abstractmethod
    def weights(self, inputs: StepInputs) -> Tensor:
        """Weights `[R, T]` of this step as published, constants as far as the network is concerned."""

    def checked_weights(self, inputs: StepInputs) -> Tensor:
        """`weights`; those of a package's strategy are looked at. Raises TrainingError where their shape is another, as
        they would be broadcast."""
        weights: object = self.weights(inputs)
        if isinstance(weights, Tensor) and weights.shape == inputs.losses.shape:
            return weights
        name, runs, tasks = self.configs[0].name, *inputs.losses.shape
        found = f"have shape {list(weights.shape)}" if isinstance(weights, Tensor) else f"are {weights!r}"
        reference = REFERENCES["loss"].get(name)
        package = f" of {reference.package}" if reference is not None else ""
        raise TrainingError(f"weights of loss={name}{package} {found}, expected a tensor [R, T] = [{runs}, {tasks}]")

    def scaled(self, weights: Tensor, present: Tensor | None) -> Tensor:
        """The weights with which the losses enter: times `loss.weights`; those of runs with `loss.scale=sum_to_T` times
        n / Σ|w| before, sums over the n tasks that are present."""
        if self.sums:
            here = torch.ones_like(weights) if present is None else present.to(weights)
            total = (weights.abs() * here).sum(1, keepdim=True)
            factor = here.sum(1, keepdim=True) / torch.where(total > 0, total, 1.0)
            weights = torch.where(self.summed, weights * factor, weights)
        return weights * self.user_weights if self.has_user_weights else weights

    def direction(self, weights: Tensor, gradients: Tensor) -> Tensor:
        """What the shared parameters descend along, `[R, D]`: the gradients `[R, T, D]` times the scaled weights."""
        return torch.bmm(weights.unsqueeze(1), gradients).squeeze(1)

    def head_weights(self, weights: Tensor, present: Tensor | None) -> Tensor:
        """Weights `[R, T]` with which the losses enter in the heads under `loss.heads=weighted`: `weights`, those of
        what the tasks share, or others; for `needs_gradients`."""
        return weights

    def own_weights(self) -> Tensor | None:
        """The same under `loss.heads=own`: None for 1, or `loss.weights`."""
        return self.user_weights if self.has_user_weights else None

    def turn(self, step: int) -> None:
        """What is due at the beginning of a step, whatever its losses are, such as the end of an epoch: a step that is
        skipped does not take it back. `weights` may do the same once more."""

    def taken_back(self) -> None:
        """Buffers and parameters of some runs hold again what they held before the step (`trainer.on_nan=skip`): what
        is remembered of them elsewhere is void."""

    def after(self, losses: Tensor, present: Tensor | None) -> None:
        """Take note of the losses `[R, T]` of the same batch after the step; for `needs_losses_after`."""

    def rates(self) -> list[float]:
        """The learning rate of the strategy's own parameters, for each run."""
        return [0.0] * len(self.configs)

    def gradients(self, losses: Tensor, weights: Tensor, present: Tensor | None) -> list[Tensor]:
        """Gradients of the strategy's own parameters, in the order of `parameters()`; `weights` are those of `weights`,
        unscaled."""
        return []

    def figures(self) -> dict[str, Tensor]:
        """What else is to be known of the training so far, a number `[R]` under each name: a metric of the rows `train`
        in metrics.csv, at every evaluation. Not finite: no row."""
        return {}

    def saved_name(self, name: str) -> str:
        """What a parameter or buffer is called in a checkpoint: the same where a stack mixes strategies."""
        return f"{type(self).__name__}.{name}"

    def state(self) -> dict[str, Tensor]:
        """The persistent buffers, by their name in a checkpoint."""
        learnt = dict(self.named_parameters())
        return {self.saved_name(name): value for name, value in self.state_dict().items() if name not in learnt}
