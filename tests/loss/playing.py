"""Strategies without a network: losses and gradients by hand, step after step."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from support import make_config
from torch import Tensor

from mtlrun.loss import STRATEGIES, StepInputs, Strategy, StrategySetup

TASKS = ["a", "b", "c"]
NOISE = [(0.5, 0.5), (1.0, 0.5), (1.0, 1.0)]  # Gaussian, classification, Laplace
EPOCH = 4  # steps of an epoch
SIZE = 7  # of the gradients


def members(
    settings: Sequence[Mapping[str, Any]],
    tasks: Sequence[str] = TASKS,
    noise: Sequence[Any] = NOISE,
    seeds: Sequence[int] | None = None,
) -> StrategySetup:
    """The runs of a stack; each of the settings has the strategy's `name`. Seeds are 0, 1, … unless given."""
    configs = [make_config({t: {"type": "regression"} for t in tasks}, loss=dict(s)).loss for s in settings]
    return StrategySetup(
        configs, list(tasks), list(noise), list(range(len(configs)) if seeds is None else seeds), EPOCH, SIZE
    )


def make(name: str, settings: Sequence[Mapping[str, Any]], **kwargs: Any) -> Strategy:
    """The strategy `name` for runs with these settings; further arguments as `members` has them."""
    return STRATEGIES[name](members([{"name": name} | dict(s) for s in settings], **kwargs))


def some_losses(steps: int, runs: int = 3, tasks: int = 3) -> tuple[Tensor, Tensor]:
    """Losses `[steps, R, T]` over many orders of magnitude, 0 where a task is absent, and which are present."""
    stream = torch.Generator().manual_seed(0)
    losses = torch.exp(3 * torch.randn(steps, runs, tasks, generator=stream))
    present = torch.rand(steps, runs, tasks, generator=stream) > 0.3
    return losses * present, present


def some_gradients(steps: int, runs: int = 3, tasks: int = 3, size: int = SIZE, common: float = 0.5) -> Tensor:
    """Gradients `[steps, R, T, D]` with lengths over two orders of magnitude; `common`: how much they agree."""
    stream = torch.Generator().manual_seed(1)
    own = torch.randn(steps, runs, tasks, size, generator=stream)
    shared = torch.randn(steps, runs, 1, size, generator=stream)
    lengths = torch.exp(torch.randn(steps, runs, tasks, 1, generator=stream))
    return (own + common * shared) * lengths


def play(
    strategy: Strategy, losses: Tensor, present: Tensor | None, gradients: Tensor, first: int = 0
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Weights `[steps, R, T]` and directions `[steps, R, D]` while the strategy's parameters descend at their rates,
    and where those end. After a step losses of tasks a, b, ... have fallen to 0.9, 0.81, ... of theirs. `first`: number
    of the first."""
    fallen = torch.tensor([0.9 ** (1 + TASKS.index(task)) for task in strategy.tasks])
    rates = torch.tensor(strategy.rates()).unsqueeze(1)
    weights, directions = [], []
    for i, step in enumerate(losses):
        here = None if present is None else present[i]
        apart = gradients[i] if here is None else gradients[i] * here.unsqueeze(2)
        published = strategy.weights(StepInputs(step, here, first + i, apart if strategy.needs_gradients else None))
        weights.append(strategy.scaled(published, here).clone())
        directions.append(strategy.direction(weights[-1], apart).clone())
        for parameter, gradient in zip(strategy.parameters(), strategy.gradients(step, published, here), strict=True):
            assert gradient.shape == parameter.shape
            parameter.data -= rates * gradient
        if strategy.needs_losses_after:
            strategy.after(step * fallen, here)
    return torch.stack(weights), torch.stack(directions), [p.detach().clone() for p in strategy.parameters()]


def weigh(strategy: Strategy, losses: Tensor, present: Tensor | None = None, step: int = 0) -> Tensor:
    """The published weights of one step, for a strategy that reads losses alone."""
    return strategy.weights(StepInputs(losses, present, step))
