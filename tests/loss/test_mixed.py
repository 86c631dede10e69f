"""Different strategies in one stack: each member's is the one that it would have alone."""

from typing import Any

import pytest
import torch
from playing import members, weigh
from torch import Tensor

from mtlrun.loss import Mixed, Strategy, make_strategy
from mtlrun.loss.uncertainty import Uncertainty

MEMBERS: list[dict[str, Any]] = [
    {"name": "fixed", "weights": {"a": 0.0, "b": 2.5}},
    {"name": "uncertainty"},
    {"name": "sum"},
    {"name": "uncertainty", "lr": 0.1, "init": -1.5},
    {"name": "fixed"},
    {"name": "uncertainty", "solve": "closed_form"},
    {"name": "dwa"},
    {"name": "gls"},
    {"name": "imtl_l", "lr": 0.05},
    {"name": "stch", "warmup": 1},
    {"name": "rlw"},
    {"name": "stch", "nadir": "none"},
]


def make(settings: list[dict[str, Any]], seeds: list[int] | None = None) -> Strategy:
    return make_strategy(members(settings, seeds=seeds))


def play(strategy: Strategy, losses: Tensor, present: Tensor) -> Tensor:
    """Weights `[steps, R, T]` while the strategy's parameters descend at their rates."""
    rates = torch.tensor(strategy.rates()).unsqueeze(1)
    weights = []
    for step, here in zip(losses, present, strict=True):
        weights.append(weigh(strategy, step, here).clone())
        for parameter, gradient in zip(strategy.parameters(), strategy.gradients(step, weights[-1], here), strict=True):
            parameter.data -= rates * gradient
    return torch.stack(weights)


ORDERS = [[0, 1, 2, 3, 4], [3, 2, 4, 1, 0], [2, 1], [4, 2], list(range(12)), [11, 6, 8, 1, 9], [5, 10, 7, 3]]


@pytest.mark.parametrize("order", ORDERS)
def test_every_member_is_weighed_as_alone(order: list[int]) -> None:
    stream = torch.Generator().manual_seed(0)
    losses = torch.exp(2 * torch.randn(30, len(order), 3, generator=stream))
    present = torch.rand(30, len(order), 3, generator=stream) > 0.3
    strategy = make([MEMBERS[m] for m in order], order)
    assert isinstance(strategy, Mixed)
    weights = play(strategy, losses * present, present)
    for r, m in enumerate(order):
        runs = slice(r, r + 1)
        alone = play(make([MEMBERS[m]], [m]), (losses * present)[:, runs], present[:, runs])
        torch.testing.assert_close(weights[:, runs], alone, rtol=1e-6, atol=0)


def test_runs_of_one_strategy_are_not_mixed() -> None:
    assert isinstance(make([MEMBERS[1], MEMBERS[3]]), Uncertainty)


def test_rates_are_each_member_s_own() -> None:
    assert make(MEMBERS).rates() == [0.0, 0.025, 0.0, 0.1, 0.0, 0.025, 0.0, 0.0, 0.05, 0.0, 0.0, 0.0]


def test_parameters_of_a_strategy_that_a_member_has_not_get_no_gradient() -> None:
    strategy = make(MEMBERS)
    losses = torch.full((len(MEMBERS), 3), 7.0)
    losses[2] = torch.nan  # a member that diverges without it
    weights = weigh(strategy, losses, None)
    of_uncertainty, of_imtl_l = strategy.gradients(2 * losses, weights + 1, None)  # twice: not their optimum
    for gradient, own in ((of_uncertainty, [1, 3]), (of_imtl_l, [8])):
        others = [r for r in range(len(MEMBERS)) if r not in own]
        assert gradient.shape == losses.shape
        assert (gradient[others] == 0).all() and (gradient[own] != 0).all()
    assert torch.equal(weights[2], torch.ones(3))
    assert weights[[r for r in range(len(MEMBERS)) if r != 2]].isfinite().all()


def test_state_has_one_name_whatever_the_company() -> None:
    """So that a part of a stack, in which there may be one strategy only, goes on from the whole stack's checkpoint."""
    mixed, backwards = make(MEMBERS), make(MEMBERS[::-1])
    names = {name for name, _ in mixed.named_parameters()}
    assert {mixed.saved_name(name) for name in names} == {"Uncertainty.s", "ImtlL.s"}
    assert {backwards.saved_name(name) for name, _ in backwards.named_parameters()} == {"Uncertainty.s", "ImtlL.s"}
    assert set(mixed.state()) == set(backwards.state())
    for member in MEMBERS:
        alone = make([member])
        assert {alone.saved_name(name) for name, _ in alone.named_parameters()} <= {"Uncertainty.s", "ImtlL.s"}
        for name, value in alone.state().items():
            assert mixed.state()[name].shape == (len(MEMBERS), *value.shape[1:])
    assert mixed.state()["Uncertainty.started"].shape == (len(MEMBERS), 3)
    assert mixed.state()["Dwa.means.sums"].shape == (len(MEMBERS), 3)
    assert make(MEMBERS[2:3]).state() == {}
