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
    """Arguments from which a strategy is built, for a stack of R runs.

    configs: settings of the strategy, one per run; tasks: the T tasks, in the order of the losses; noise: (a, c) of
    each task's likelihood, see `Uncertainty`; seeds: one per run; epoch_steps: number of steps of an epoch; shared: the
    largest possible D of gradients `[R, T, D]` in shared parameters; units: `[R, T]`, the size of one unit of the
    labels that the losses see, in the unit of the target (None: all 1)
    """

    configs: Sequence[Any]
    tasks: Sequence[str]
    noise: Sequence[tuple[float, float]]
    seeds: Sequence[int]
    epoch_steps: int
    shared: int
    units: Tensor | None = None

    def values(self, name: str) -> Tensor:
        """Returns the setting `name` of every run, `[R, 1]` float32."""
        return torch.tensor([[float(getattr(c, name))] for c in self.configs])


@dataclass(frozen=True)
class StepInputs:
    """Inputs of a strategy in one step.

    losses: `[R, T]` before the step, detached, 0 for a task without a label; present: `[R, T]`, which tasks have a
    label in the batch (None: all); step: counted from 0; gradients: `[R, T, D]`, each task's gradient in the shared
    parameters or features, 0 for a task without a label (for `needs_gradients`); gramian: `[R, T, T]` float64, their
    inner products, may be given instead of gradients (for `gramian_only`)
    """

    losses: Tensor
    present: Tensor | None
    step: int
    gradients: Tensor | None = None
    gramian: Tensor | None = None

    def products(self) -> Tensor:
        """Returns the Gramian `[R, T, T]` float64, for a strategy that `needs_gradients`."""
        if self.gramian is not None:
            return self.gramian
        assert self.gradients is not None, "needs_gradients"
        return torch.bmm(self.gradients, self.gradients.mT).double()

    def norms(self) -> Tensor:
        """Returns the norms `[R, T]` of the gradients, for a strategy that `needs_gradients`."""
        if self.gramian is not None:
            return self.gramian.diagonal(dim1=1, dim2=2).sqrt().to(self.losses)
        assert self.gradients is not None, "needs_gradients"
        return torch.linalg.vector_norm(self.gradients, dim=2)


class Strategy(nn.Module, ABC):
    """Computes weights of the task losses, for a stack of R runs with T tasks each.

    Learnt parameters are `nn.Parameter`s `[R, T]`; the optimiser trains them at the rates `rates` `[R]` with the
    gradients that `gradients` returns. State is in persistent buffers `[R, …]`, so checkpoints contain it; constants
    are in non-persistent buffers. Random numbers come from `parts.Stream`, which has no state. A strategy never reads a
    number from a tensor, as that would wait for the device. A run's weights do not depend on the other runs of the
    stack, except for rounding.
    """

    needs_gradients: ClassVar[bool] = False
    gramian_only: ClassVar[bool] = False  # reads only inner products of gradients, and does not override `direction`
    needs_losses_after: ClassVar[bool] = False  # `after` receives losses of the same batch after the step

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
        """Returns the published weights `[R, T]` of this step. They are constants for the network."""

    def checked_weights(self, inputs: StepInputs) -> Tensor:
        """Returns `weights`. Raises TrainingError if their shape is wrong: torch would broadcast them silently."""
        weights: object = self.weights(inputs)
        if isinstance(weights, Tensor) and weights.shape == inputs.losses.shape:
            return weights
        name, runs, tasks = self.configs[0].name, *inputs.losses.shape
        found = f"have shape {list(weights.shape)}" if isinstance(weights, Tensor) else f"are {weights!r}"
        reference = REFERENCES["loss"].get(name)
        package = f" of {reference.package}" if reference is not None else ""
        raise TrainingError(f"weights of loss={name}{package} {found}, expected a tensor [R, T] = [{runs}, {tasks}]")

    def scaled(self, weights: Tensor, present: Tensor | None) -> Tensor:
        """Returns the weights of the losses: the published ones times `loss.weights`.

        With `loss.scale=sum_to_T` they are first multiplied by n / Σ|w|, over the n tasks that are present.
        """
        if self.sums:
            here = torch.ones_like(weights) if present is None else present.to(weights)
            total = (weights.abs() * here).sum(1, keepdim=True)
            factor = here.sum(1, keepdim=True) / torch.where(total > 0, total, 1.0)
            weights = torch.where(self.summed, weights * factor, weights)
        return weights * self.user_weights if self.has_user_weights else weights

    def direction(self, weights: Tensor, gradients: Tensor) -> Tensor:
        """Returns the gradient `[R, D]` of the shared parameters: the scaled weights times gradients `[R, T, D]`."""
        return torch.bmm(weights.unsqueeze(1), gradients).squeeze(1)

    def head_weights(self, weights: Tensor, present: Tensor | None) -> Tensor:
        """Returns the weights `[R, T]` of the losses in the heads with `loss.heads=weighted`, for `needs_gradients`.

        By default `weights`, those of the shared parameters.
        """
        return weights

    def own_weights(self) -> Tensor | None:
        """Returns the weights in the heads with `loss.heads=own`: `loss.weights`, None if all are 1."""
        return self.user_weights if self.has_user_weights else None

    def turn(self, step: int) -> None:
        """Called at the beginning of a step, for work that does not depend on its losses, such as the end of an epoch.

        A skipped step does not undo it. `weights` may call it again.
        """

    def taken_back(self) -> None:
        """Called after a step was undone for some runs (`trainer.on_nan=skip`): discards copies of buffers."""

    def after(self, losses: Tensor, present: Tensor | None) -> None:
        """Receives the losses `[R, T]` of the same batch after the step, for `needs_losses_after`."""

    def rates(self) -> list[float]:
        """Returns the learning rate of the strategy's parameters, for each run."""
        return [0.0] * len(self.configs)

    def gradients(self, losses: Tensor, weights: Tensor, present: Tensor | None) -> list[Tensor]:
        """Returns gradients of the strategy's parameters, in the order of `parameters()`. `weights` are unscaled."""
        return []

    def figures(self) -> dict[str, Tensor]:
        """Returns further metrics by name, for the `train` rows of metrics.csv at every evaluation.

        `[R]`, or `[R, T]` with a number for each task. A number that is not finite gets no row.
        """
        return {}

    def saved_name(self, name: str) -> str:
        """Returns the name of a parameter or buffer in a checkpoint, the same in a stack of mixed strategies."""
        return f"{type(self).__name__}.{name}"

    def state(self) -> dict[str, Tensor]:
        """Returns the persistent buffers, by their name in a checkpoint."""
        learnt = dict(self.named_parameters())
        return {self.saved_name(name): value for name, value in self.state_dict().items() if name not in learnt}
