"""Different strategies in one stack: each member's is the one that it would have alone."""

from typing import Any

import pytest
import torch
from support import make_config
from torch import Tensor

from mtlrun.loss import Mixed, Strategy, Uncertainty, make_strategy

TASKS = ["a", "b", "c"]
NOISE = [(0.5, 0.5), (1.0, 0.5), (1.0, 1.0)]
MEMBERS: list[dict[str, Any]] = [
    {"name": "fixed", "weights": {"a": 0.0, "b": 2.5}},
    {"name": "uncertainty"},
    {"name": "sum"},
    {"name": "uncertainty", "lr": 0.1, "init": -1.5},
    {"name": "fixed"},
]


def make(members: list[dict[str, Any]]) -> Strategy:
    return make_strategy([make_config(loss=m).loss for m in members], TASKS, NOISE)


def play(strategy: Strategy, losses: Tensor, present: Tensor) -> Tensor:
    """Weights `[steps, R, T]` while the strategy's parameters descend at their rates."""
    rates = torch.tensor(strategy.rates()).unsqueeze(1)
    weights = []
    for step, here in zip(losses, present, strict=True):
        weights.append(strategy.weights(step, here).clone())
        for parameter, gradient in zip(strategy.parameters(), strategy.gradients(step, weights[-1], here), strict=True):
            parameter.data -= rates * gradient
    return torch.stack(weights)


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 2, 4, 1, 0], [2, 1], [4, 2]])
def test_every_member_is_weighed_as_alone(order: list[int]) -> None:
    stream = torch.Generator().manual_seed(0)
    losses = torch.exp(2 * torch.randn(30, len(order), 3, generator=stream))
    present = torch.rand(30, len(order), 3, generator=stream) > 0.3
    strategy = make([MEMBERS[m] for m in order])
    assert isinstance(strategy, Mixed)
    weights = play(strategy, losses * present, present)
    for r, m in enumerate(order):
        runs = slice(r, r + 1)
        alone = play(make([MEMBERS[m]]), (losses * present)[:, runs], present[:, runs])
        torch.testing.assert_close(weights[:, runs], alone, rtol=1e-6, atol=0)


def test_runs_of_one_strategy_are_not_mixed() -> None:
    assert isinstance(make([MEMBERS[1], MEMBERS[3]]), Uncertainty)


def test_rates_are_each_member_s_own() -> None:
    assert make(MEMBERS).rates() == [0.0, 0.025, 0.0, 0.1, 0.0]


def test_parameters_of_a_strategy_that_a_member_has_not_get_no_gradient() -> None:
    strategy = make(MEMBERS)
    losses = torch.full((5, 3), 7.0)
    losses[2] = torch.nan  # a member that diverges without it
    weights = strategy.weights(losses, None)
    (gradient,) = strategy.gradients(losses, weights + 1, None)
    assert gradient.shape == (5, 3)
    assert (gradient[[0, 2, 4]] == 0).all() and (gradient[[1, 3]] != 0).all()
    assert torch.equal(weights[2], torch.ones(3)) and weights[[0, 1, 3, 4]].isfinite().all()


def test_state_has_one_name_whatever_the_company() -> None:
    """So that a part of a stack, in which there may be one strategy only, goes on from the whole stack's checkpoint."""
    mixed, backwards, alone = make(MEMBERS), make(MEMBERS[::-1]), make(MEMBERS[1:2])
    for strategy in (mixed, backwards, alone):
        assert [strategy.saved_name(n) for n, _ in strategy.named_parameters()] == ["Uncertainty.s"]
        assert list(strategy.state()) == ["Uncertainty.started"]
    assert mixed.state()["Uncertainty.started"].shape == (5, 3)
    assert make(MEMBERS[2:3]).state() == {}
