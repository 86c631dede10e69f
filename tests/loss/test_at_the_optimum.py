"""Strategies that learn a number by Adam: where nothing is to be learnt, it stays, as Adam makes a step of rounding."""

from typing import Any

import pytest
import torch
from playing import make
from torch import Tensor

from mtlrun.loss import StepInputs, Strategy

LEARNT = ["uncertainty", "imtl_l", "imtl", "famo", "gradnorm"]
STARTED = ["uncertainty", "imtl_l", "imtl"]  # at the optimum of the first batch


def losses_of_all_sizes(runs: int) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    return 10 ** (24 * torch.rand(runs, 3, generator=draw, dtype=torch.float64) - 12).float()


def step(strategy: Strategy, losses: Tensor, present: Tensor | None, gradients: Tensor, at: int) -> list[Tensor]:
    """Gradients of the strategy's parameters; `famo` learns that all losses have fallen by the same share."""
    here = losses if present is None else losses * present
    apart = gradients if present is None else gradients * present.unsqueeze(2)
    weights = strategy.weights(StepInputs(here, present, at, apart if strategy.needs_gradients else None))
    found = strategy.gradients(here, weights, present)
    if strategy.needs_losses_after:
        strategy.after(0.9 * here, present)
    return found


@pytest.mark.parametrize("name", STARTED)
def test_the_gradient_is_0_where_a_task_starts(name: str) -> None:
    """Also of a task whose first label comes later, and in a stack with tasks that have started."""
    losses, gradients = losses_of_all_sizes(400), torch.randn(400, 3, 7)
    strategy = make(name, [{}] * 400)
    late = torch.tensor([True, False, True]).expand(400, -1)
    assert all((g == 0).all() for g in step(strategy, losses, late, gradients, 0))
    (second,) = step(strategy, torch.where(late, 1.1 * losses, losses), None, gradients, 1)
    assert (second[:, 1] == 0).all() and (second[:, [0, 2]].abs() > 0.01).all()


@pytest.mark.parametrize("name", LEARNT)
def test_nothing_is_learnt_from_losses_that_stay_and_tasks_that_are_alike(name: str) -> None:
    """Adam takes 100 steps: nothing moves, whatever the size of the losses."""
    runs = 50
    same = losses_of_all_sizes(runs)
    losses = same[:, :1].expand(-1, 3) if name in ("famo", "gradnorm") else same
    gradients = torch.randn(runs, 1, 7, generator=torch.Generator().manual_seed(1)).expand(-1, 3, -1)
    strategy = make(name, [{}] * runs, noise=[(0.5, 0.5), (1.0, 0.5), (1.0, 1.0)])
    parameters = list(strategy.parameters())
    adam = torch.optim.Adam(parameters, lr=0.025) if parameters else None
    begin: Any = None
    for at in range(100):
        found = step(strategy, losses, None, gradients, at)
        now = [p.detach().clone() for p in parameters] or [strategy.get_buffer("xi").clone()]
        begin = begin or now
        assert all(torch.equal(a, b) for a, b in zip(begin, now, strict=True)), at
        for p, g in zip(parameters, found, strict=True):
            p.grad = g
        if adam is not None:
            adam.step()


@pytest.mark.parametrize("name", LEARNT)
def test_what_is_more_than_rounding_is_learnt(name: str) -> None:
    """A loss that falls by 1e-5 of its size is more than float32 takes for rounding."""
    gradients = torch.randn(1, 3, 7, generator=torch.Generator().manual_seed(1))
    strategy = make(name, [{"gamma": 0.0}] if name == "famo" else [{}])
    losses = torch.tensor([[0.7, 1.3, 2.1]])
    step(strategy, losses, None, gradients, 0)
    moved = losses * torch.tensor([[1 - 1e-5, 1.0, 1 + 1e-5]])
    if name == "famo":
        strategy.weights(StepInputs(losses, None, 1))
        strategy.after(moved, None)
        assert strategy.get_buffer("xi")[0, [0, 2]].abs().min() > 1e-3
        return
    (gradient,) = step(strategy, moved, None, gradients, 1)
    assert (gradient[0, [0, 2]] != 0).all()
