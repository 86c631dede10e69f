"""FAMO: torchjd's figures, missing labels, and what it is for."""

import pytest
import torch
from playing import make, some_losses, weigh
from support import make_config, make_stack
from torchjd.scalarization import FAMO

from mtlrun.loss.famo import Famo


def famo(*settings: dict[str, float]) -> Famo:
    strategy = make("famo", list(settings))
    assert isinstance(strategy, Famo)
    return strategy


@pytest.mark.parametrize("bound", [0.0, 0.05])
def test_weights_are_those_of_torchjd(bound: float) -> None:
    losses = some_losses(40)[0] + 0.1
    after = losses * (0.2 * torch.randn(losses.shape, generator=torch.Generator().manual_seed(1))).exp()
    after = after.clamp_min(0.1)
    settings = [{"lr": 0.025, "gamma": 1e-3}, {"lr": 0.2, "gamma": 0.0}, {"lr": 0.05, "gamma": 0.1}]
    strategy = famo(*[s | {"lower_bound": bound} for s in settings])
    oracles = [FAMO(3, torch.full((3,), bound), s["lr"], s["gamma"]).double() for s in settings]
    for step, later in zip(losses, after, strict=True):
        weights = weigh(strategy, step)
        strategy.after(later, None)
        torch.testing.assert_close(weights.sum(1), torch.ones(3))
        for r, oracle in enumerate(oracles):
            known = step[r].double().requires_grad_()
            (expected,) = torch.autograd.grad(oracle(known), known)
            torch.testing.assert_close(weights[r].double(), expected, rtol=2e-5, atol=1e-6)
            oracle.update(later[r].double())
            torch.testing.assert_close(strategy.xi[r].double(), oracle._w.detach(), rtol=1e-4, atol=1e-5)


def test_an_absent_task_has_no_part_and_keeps_its_state() -> None:
    """The others are weighed and moved as torchjd moves the two of them alone."""
    losses = some_losses(20)[0] + 0.1
    here = torch.tensor([[True, False, True]])
    strategy, oracle = famo({}), FAMO(2).double()
    for i, step in enumerate(losses[:, :1]):
        now = step * here
        weights = weigh(strategy, now, here)
        strategy.after(now * torch.tensor([[0.9, 0.5, 1.01 - 0.01 * i]]), here)
        known = step[0, [0, 2]].double().requires_grad_()
        (expected,) = torch.autograd.grad(oracle(known), known)
        torch.testing.assert_close(weights[0, [0, 2]].double(), expected, rtol=1e-5, atol=1e-6)
        oracle.update(known.detach() * torch.tensor([0.9, 1.01 - 0.01 * i]))
        assert weights[0, 1] == 0
    assert all(value[0, 1] == 0 for value in strategy.state().values())
    assert strategy.steps[0].tolist() == [20.0, 0.0, 20.0]
    weights = weigh(strategy, torch.zeros(1, 3), torch.zeros(1, 3, dtype=torch.bool))
    assert (weights == 0).all()


def test_a_task_that_goes_away_keeps_what_is_known_of_it() -> None:
    strategy = famo({"gamma": 0.1})
    for step in some_losses(5)[0][:, :1] + 0.1:
        weigh(strategy, step)
        strategy.after(step * torch.tensor([[0.9, 0.5, 1.1]]), None)
    before = {name: value.clone() for name, value in strategy.state().items()}
    here = torch.tensor([[True, False, True]])
    for step in some_losses(5)[0][:, :1] + 0.1:
        weigh(strategy, step * here, here)
        strategy.after(step * here * 0.8, here)
    for name, value in strategy.state().items():
        assert torch.equal(value[0, 1], before[name][0, 1]) and before[name][0, 1] != 0, name
        assert (value[0, [0, 2]] != before[name][0, [0, 2]]).all(), name


def test_what_falls_by_a_smaller_share_gets_more() -> None:
    strategy = famo({"gamma": 0.0})
    losses = torch.tensor([[100.0, 1.0, 0.01]])
    for _ in range(50):
        first = weigh(strategy, losses)
        strategy.after(losses * torch.tensor([[0.5, 0.9, 0.7]]), None)
    assert strategy.xi[0].argsort().tolist() == [0, 2, 1]
    assert (first * losses)[0].argsort().tolist() == [0, 2, 1]


def test_the_step_shows_it_the_losses_of_the_same_batch_afterwards() -> None:
    config = make_config(loss={"name": "famo", "lr": 0.1})
    stack = make_stack([config])
    strategy = stack.step.strategy
    assert isinstance(strategy, Famo)
    batch = next(iter(stack.train.epoch(1)))
    before, weights = stack.step(batch, 0)
    with torch.no_grad():
        after = stack.network.losses(batch.x, batch.targets)
    torch.testing.assert_close(weights, (1 / before) / (1 / before).sum(1, keepdim=True))
    change = (before / after).log()
    gradient = (change - change.mean(1, keepdim=True)) / 3
    # Adam's first step is the rate times the sign
    torch.testing.assert_close(strategy.xi, -0.1 * gradient.sign(), rtol=1e-3, atol=1e-5)
    assert gradient.abs().min() > 1e-6
