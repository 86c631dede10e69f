"""Learnt uncertainty: its formula, its start, its optimum."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from playing import make, members, some_losses, weigh
from support import make_config, make_stack
from torchjd.scalarization import UW

from mtlrun.loss import make_strategy
from mtlrun.loss.learnt import Glance
from mtlrun.loss.parts import FLOOR
from mtlrun.loss.uncertainty import Uncertainty


def uncertainty(*settings: dict[str, Any]) -> Uncertainty:
    strategy = make("uncertainty", list(settings) or [{}])
    assert isinstance(strategy, Uncertainty)
    return strategy


def optimum(losses: list[float]) -> list[float]:
    """s at which the likelihood of these losses is largest: log MSE, log 2 CE, log MAE."""
    return [math.log(losses[0]), math.log(2 * losses[1]), math.log(losses[2])]


def test_uncertainty_gradient_is_that_of_the_whole_formula() -> None:
    losses, present = some_losses(3)
    for here in (present, None):
        strategy = uncertainty({"init": 0.3}, {"init": -2.0}, {"init": 5.0})
        for i, step in enumerate(losses):
            now = None if here is None else here[i]
            weights = weigh(strategy, step, now)
            s = strategy.s.detach().double().requires_grad_()
            terms = []
            for t, (L, mask) in enumerate(zip(step.double().T, present[i].T, strict=True)):
                nll = (
                    0.5 * torch.exp(-s[:, t]) * L + 0.5 * s[:, t],  # regression
                    torch.exp(-s[:, t]) * L + 0.5 * s[:, t],  # classification
                    L / torch.exp(s[:, t]) + s[:, t],  # Laplace, s = log b
                )[t]
                terms.append(nll if here is None else nll * mask)
            (expected,) = torch.autograd.grad(torch.stack(terms).sum(), s)
            torch.testing.assert_close(
                strategy.gradients(step, weights, now)[0].double(), expected, rtol=1e-5, atol=1e-6
            )
            assert not weights.requires_grad
            strategy.s.data += 0.5


def test_uncertainty_weights() -> None:
    strategy = uncertainty({"init": 0.7})
    expected = [0.5 * math.exp(-0.7), math.exp(-0.7), math.exp(-0.7)]
    assert weigh(strategy, torch.ones(1, 3), None)[0].tolist() == pytest.approx(expected)


def test_uncertainty_starts_at_the_optimum_of_the_first_batch() -> None:
    losses = [4e6, 0.5004, 0.02]
    strategy = uncertainty()
    weights = weigh(strategy, torch.tensor([losses]), None)
    assert strategy.s[0].tolist() == pytest.approx(optimum(losses), rel=1e-6, abs=1e-6)
    # at the optimum the weighted losses are ½, ½, 1 whatever their scale, and the gradient is 0
    assert (weights[0] * torch.tensor(losses)).tolist() == pytest.approx([0.5, 0.5, 1.0], rel=1e-5)
    assert strategy.gradients(torch.tensor([losses]), weights, None)[0].abs().max() < 1e-5
    weigh(strategy, torch.ones(1, 3), None)
    assert strategy.s[0].tolist() == pytest.approx(optimum(losses), rel=1e-6, abs=1e-6)  # once only


@pytest.mark.parametrize("init", [0.0, 0, -2.5])
def test_uncertainty_starts_where_it_is_told(init: float) -> None:
    strategy = uncertainty({"init": init})
    weigh(strategy, torch.tensor([[4e6, 0.5, 0.02]]), None)
    assert strategy.s[0].tolist() == [init] * 3


def test_a_task_starts_with_its_first_labels() -> None:
    strategy = uncertainty({}, {})
    absent = torch.tensor([[True, False, True], [False, False, True]])
    losses = torch.tensor([[3.0, 0.0, 1.0], [0.0, 0.0, 2.0]])
    weights = weigh(strategy, losses, absent)
    assert strategy.started.tolist() == absent.tolist()
    assert strategy.s[~absent].tolist() == [0.0] * 3
    assert (strategy.gradients(losses, weights, absent)[0][~absent] == 0).all() and weights.isfinite().all()
    weigh(
        strategy,
        torch.tensor([[9.0, 0.7, 9.0], [5.0, 0.0, 9.0]]),
        torch.tensor([[True, True, True], [True, False, True]]),
    )
    assert strategy.s[0].tolist() == pytest.approx(optimum([3.0, 0.7, 1.0]))
    assert [strategy.s[1, 0].item(), strategy.s[1, 2].item()] == pytest.approx([math.log(5), math.log(2)])
    assert strategy.started.tolist() == [[True, True, True], [True, False, True]] and strategy.s[1, 1] == 0


@pytest.mark.parametrize("loss", [0.0, math.inf])
def test_a_loss_without_a_logarithm_starts_nothing(loss: float) -> None:
    strategy = uncertainty()
    weigh(strategy, torch.tensor([[loss, 1.0, 1.0]]), None)
    assert strategy.s[0, 0] == 0 and strategy.started.tolist() == [[False, True, True]]


def test_the_start_survives_a_checkpoint() -> None:
    strategy, again = uncertainty(), uncertainty()
    weigh(strategy, torch.tensor([[3.0, 0.5, 1.0]]), None)
    again.load_state_dict(strategy.state_dict())
    assert torch.equal(weigh(again, torch.full((1, 3), 77.0), None), weigh(strategy, torch.ones(1, 3), None))


def test_a_task_that_never_has_a_label_moves_nothing() -> None:
    """Through the real step: a task absent from every batch keeps s and its head, and nothing becomes NaN."""
    stack = make_stack([make_config(loss={"name": "uncertainty"})], missing=0.2)
    at = stack.network.tasks.index("b")
    before = [p.clone() for p in stack.network.task_parameters("b")]
    for i, batch in enumerate(stack.train.epoch(1)):
        t = batch.targets
        assert t.weights is not None and t.observed is not None and t.present is not None
        t.weights[..., at], t.observed[..., at], t.present[..., at] = 0.0, False, False
        losses, weights = stack.step(batch, i)
        assert losses[0, at] == 0 and weights.isfinite().all()
    strategy = stack.step.strategy
    assert isinstance(strategy, Uncertainty)
    assert strategy.s[0, at] == 0 and not strategy.started[0, at] and strategy.s[0].isfinite().all()
    assert all(torch.equal(a, b) for a, b in zip(before, stack.network.task_parameters("b"), strict=True))
    assert stack.step.flat.values.isfinite().all()


def test_uncertainty_converges_to_the_closed_form_on_constant_losses() -> None:
    losses = torch.tensor([[5.0, 0.5004, 0.2]])
    strategy = uncertainty({"init": 0.0})
    optimizer = torch.optim.Adam(strategy.parameters(), lr=0.025)
    for _ in range(600):
        (strategy.s.grad,) = strategy.gradients(losses, weigh(strategy, losses, None), None)
        optimizer.step()
    assert strategy.s.exp()[0].tolist() == pytest.approx([5.0, 2 * 0.5004, 0.2], rel=1e-3)


def test_regressions_are_weighed_as_torchjd_does() -> None:
    losses, _ = some_losses(4)
    strategy = make("uncertainty", [{"init": 0.8}] * 3, noise=[(0.5, 0.5)] * 3)
    oracle = UW(3).double()
    oracle.log_var.data.fill_(0.8)
    for step in losses:
        weights = weigh(strategy, step)
        (gradient,) = strategy.gradients(step, weights, None)
        for r in range(3):
            known = step[r].double().requires_grad_()
            expected = torch.autograd.grad(oracle(known), [known, oracle.log_var])
            torch.testing.assert_close(weights[r].double(), expected[0], rtol=1e-5, atol=0)
            torch.testing.assert_close(gradient[r].double(), expected[1], rtol=1e-5, atol=1e-6)


def test_once_all_have_started_nothing_is_computed_for_it() -> None:
    strategy = uncertainty()
    weigh(strategy, torch.tensor([[3.0, 0.0, 1.0]]), torch.tensor([[True, False, True]]))
    weigh(strategy, torch.tensor([[3.0, 0.0, 1.0]]), torch.tensor([[True, False, True]]))
    assert strategy.waits
    for _ in range(2):
        weigh(strategy, torch.tensor([[3.0, 7.0, 1.0]]))
    assert not strategy.waits
    assert strategy.s[0].tolist() == pytest.approx(optimum([3.0, 7.0, 1.0]))
    assert not uncertainty({"init": 0.0}, {"solve": "closed_form"}).waits


def test_a_glance_says_what_is_so() -> None:
    glance = Glance()
    assert not glance(torch.tensor(False)) and not glance(torch.tensor(False)) and glance(torch.tensor(True))


def test_the_closed_form_is_the_gradient_of_the_logarithms() -> None:
    losses, present = some_losses(5)
    strategy = uncertainty(*[{"solve": "closed_form"}] * 3)
    for step, here in zip(losses, present, strict=True):
        weights = weigh(strategy, step, here)
        known = step.double().clamp_min(1e-30).requires_grad_()
        terms = torch.tensor([0.5, 0.5, 1.0]) * known.log() * here
        (expected,) = torch.autograd.grad(terms.sum(), known)
        torch.testing.assert_close(weights.double(), expected, rtol=1e-5, atol=0)
        assert all((g == 0).all() for g in strategy.gradients(step, weights, here))


def test_the_closed_form_is_the_learnt_one_at_its_optimum() -> None:
    losses, _ = some_losses(1)
    learnt, solved = uncertainty(*[{}] * 3), uncertainty(*[{"solve": "closed_form"}] * 3)
    complete = losses[0] + 0.1
    torch.testing.assert_close(weigh(solved, complete), weigh(learnt, complete), rtol=1e-5, atol=0)


def test_a_task_at_a_loss_of_0_has_a_weight_that_is_finite() -> None:
    weights = weigh(uncertainty({"solve": "closed_form"}), torch.tensor([[0.0, FLOOR, 1.0]]))
    torch.testing.assert_close(weights, torch.tensor([[0.5 / FLOOR, 0.5 / FLOOR, 1.0]]))


def test_the_closed_form_leaves_s_alone_beside_learnt_ones() -> None:
    strategy = uncertainty({"solve": "closed_form"}, {})
    losses = torch.tensor([[3.0, 7.0, 1.0]] * 2)
    weights = weigh(strategy, losses)
    (gradient,) = strategy.gradients(2 * losses, weights, None)
    assert (gradient[0] == 0).all() and (gradient[1] != 0).all()
    assert strategy.s[0].tolist() == [0.0] * 3 and strategy.s[1].tolist() == pytest.approx(optimum([3.0, 7.0, 1.0]))


# ---------------------------------------------------------------- sigma


def test_sigma_is_the_error_in_the_unit_of_the_target() -> None:
    """At the optimum: the RMSE of a squared error, √(2L) of huber, the MAE of an absolute error, √(2 CE) of a class."""
    units = torch.tensor([[1000.0, 1.0, 3.0, 0.2]]).double()
    noise = [(0.5, 0.5), (1.0, 0.5), (1.0, 1.0), (1.0, 0.5)]
    setup = replace(members([{"name": "uncertainty"}], tasks=list("abcd"), noise=noise), units=units)
    strategy = Uncertainty(setup)
    assert strategy.figures()["sigma"].isnan().all(), "nothing is learnt yet"
    losses = torch.tensor([[0.81, 0.4, 0.6, 0.32]])
    weigh(strategy, losses)
    expected = [1000 * 0.9, math.sqrt(0.8), 3 * 0.6, 0.2 * 0.8]
    assert strategy.figures()["sigma"][0].tolist() == pytest.approx(expected, rel=1e-6)


def test_sigma_is_of_what_is_learnt_and_of_its_own_run() -> None:
    settings = [{"name": "sum"}, {"name": "uncertainty"}, {"name": "uncertainty", "solve": "closed_form"}]
    strategy = make_strategy(members([*settings, {"name": "uncertainty", "init": 2.0}]))
    weigh(strategy, torch.tensor([[0.25, 0.0, 0.6]] * 4), torch.tensor([[True, False, True]] * 4))
    sigma = strategy.figures()["sigma"]
    assert sigma[1].tolist() == pytest.approx([0.5, math.nan, 0.6], nan_ok=True)
    assert sigma[3].tolist() == pytest.approx([math.e, math.e, math.e**2])
    assert sigma[[0, 2]].isnan().all()
