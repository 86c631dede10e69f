"""Every loss strategy through the same tests, then each one's own formula."""

import math
from typing import Any

import pytest
import torch
from support import make_config, make_stack
from torch import Tensor

from mtlrun.engine.stack import Stack
from mtlrun.loss import STRATEGIES, Strategy, Uncertainty

TASKS = ["a", "b", "c"]
NOISE = [(0.5, 0.5), (1.0, 0.5), (1.0, 1.0)]  # Gaussian, classification, Laplace

# Settings of three runs of each strategy.
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "sum": [{}, {}, {}],
    "fixed": [{"weights": {"a": 0.0, "b": 2.5}}, {}, {"weights": {"c": 1e-4}}],
    "uncertainty": [{}, {"init": 0.0, "lr": 0.1}, {"init": -1.5}],
}


def make(name: str, settings: list[dict[str, Any]]) -> Strategy:
    configs = [make_config(loss={"name": name} | s).loss for s in settings]
    return STRATEGIES[name](configs, TASKS, NOISE)


def some_losses(steps: int, runs: int = 3) -> tuple[Tensor, Tensor]:
    """Losses `[steps, R, T]` over many orders of magnitude, 0 where a task is absent, and which are present."""
    stream = torch.Generator().manual_seed(0)
    losses = torch.exp(3 * torch.randn(steps, runs, 3, generator=stream))
    present = torch.rand(steps, runs, 3, generator=stream) > 0.3
    return losses * present, present


def play(strategy: Strategy, losses: Tensor, present: Tensor | None) -> tuple[Tensor, list[Tensor]]:
    """Weights `[steps, R, T]` while the strategy's parameters descend at their rates, and where those end."""
    rates = torch.tensor(strategy.rates()).unsqueeze(1)
    weights = []
    for i, step in enumerate(losses):
        here = None if present is None else present[i]
        weights.append(strategy.weights(step, here).clone())
        for parameter, gradient in zip(strategy.parameters(), strategy.gradients(step, weights[-1], here), strict=True):
            assert gradient.shape == parameter.shape
            parameter.data -= rates * gradient
    return torch.stack(weights), [p.detach().clone() for p in strategy.parameters()]


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_is_tested(name: str) -> None:
    assert len(SETTINGS[name]) == 3


@pytest.mark.parametrize("complete", [True, False], ids=["complete", "missing labels"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_weights_are_finite_numbers_for_every_run_and_task(name: str, complete: bool) -> None:
    losses, present = some_losses(20)
    weights, parameters = play(make(name, SETTINGS[name]), losses + complete, None if complete else present)
    assert weights.shape == (20, 3, 3)
    assert weights.isfinite().all() and (weights >= 0).all()
    assert all(p.isfinite().all() for p in parameters)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_stack_weighs_as_its_members_alone(name: str) -> None:
    losses, present = some_losses(20)
    weights, parameters = play(make(name, SETTINGS[name]), losses, present)
    for r, settings in enumerate(SETTINGS[name]):
        alone, own = play(make(name, [settings]), losses[:, r : r + 1], present[:, r : r + 1])
        torch.testing.assert_close(weights[:, r : r + 1], alone, rtol=1e-6, atol=0)
        for together, single in zip(parameters, own, strict=True):
            torch.testing.assert_close(together[r : r + 1], single, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", STRATEGIES)
def test_permuting_the_tasks_permutes_the_weights(name: str) -> None:
    order = [2, 0, 1]
    losses, present = some_losses(10)
    configs = [make_config(loss={"name": name} | s).loss for s in SETTINGS[name]]
    other = STRATEGIES[name](configs, [TASKS[i] for i in order], [NOISE[i] for i in order])
    weights, _ = play(make(name, SETTINGS[name]), losses, present)
    permuted, _ = play(other, losses[..., order], present[..., order])
    torch.testing.assert_close(permuted, weights[..., order], rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", STRATEGIES)
def test_weights_are_constants_for_the_network(name: str) -> None:
    """The step's gradient is that of Σ w L with the returned numbers w."""
    configs = [make_config(loss={"name": name} | s, seed=i) for i, s in enumerate(SETTINGS[name])]
    stack, twin = make_stack(configs, missing=0.3), make_stack(configs, missing=0.3)
    batch = next(iter(stack.train.epoch(1)))
    _, weights = stack.step(batch, 0)
    assert not weights.requires_grad
    total = (twin.network.losses(batch.x, batch.targets) * weights).sum()
    expected = torch.cat([g.flatten(1) for g in torch.autograd.grad(total, list(twin.network.parameters()))], 1)
    found = stack.step.flat.gradients[:, : stack.step.flat.network_size]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)


# ---------------------------------------------------------------- sum and fixed


def test_sum_and_fixed_weights() -> None:
    losses, present = some_losses(1)
    assert torch.equal(make("sum", [{}]).weights(losses[0, :1], None), torch.ones(1, 3))
    fixed = make("fixed", SETTINGS["fixed"]).weights(losses[0], present[0])
    assert torch.equal(fixed, torch.tensor([[0.0, 2.5, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1e-4]]))


def first_gradients(**loss: Any) -> tuple[Stack, dict[str, Tensor]]:
    """The gradients of the first step, by the name of the parameter."""
    stack = make_stack([make_config(loss=loss)])
    stack.step(next(iter(stack.train.epoch(1))), 0)
    flat = stack.step.flat
    return stack, dict(zip(flat.names, flat.gradients.split(flat.sizes, 1), strict=True))


def test_a_weight_of_0_is_exactly_no_gradient() -> None:
    stack, gradients = first_gradients(name="fixed", weights={"b": 0})
    _, whole = first_gradients(name="sum")
    _, others = first_gradients(name="fixed", weights={"a": 0, "c": 0})
    heads = {n: tasks for n, (tasks, _) in stack.network.head_axes().items()}
    for name, gradient in gradients.items():
        tasks = heads.get(name.removeprefix("network."))
        if tasks == ["b"]:
            assert (gradient == 0).all()
        elif tasks is not None:
            assert torch.equal(gradient, whole[name]) and (gradient != 0).any()
        else:  # the trunk gets the rest
            torch.testing.assert_close(gradient, whole[name] - others[name], rtol=1e-4, atol=1e-6)
            assert not torch.equal(gradient, whole[name])


# ---------------------------------------------------------------- uncertainty


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
            weights = strategy.weights(step, now)
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
    assert strategy.weights(torch.ones(1, 3), None)[0].tolist() == pytest.approx(expected)


def test_uncertainty_starts_at_the_optimum_of_the_first_batch() -> None:
    losses = [4e6, 0.5004, 0.02]
    strategy = uncertainty()
    weights = strategy.weights(torch.tensor([losses]), None)
    assert strategy.s[0].tolist() == pytest.approx(optimum(losses), rel=1e-6, abs=1e-6)
    # at the optimum the weighted losses are ½, ½, 1 whatever their scale, and the gradient is 0
    assert (weights[0] * torch.tensor(losses)).tolist() == pytest.approx([0.5, 0.5, 1.0], rel=1e-5)
    assert strategy.gradients(torch.tensor([losses]), weights, None)[0].abs().max() < 1e-5
    strategy.weights(torch.ones(1, 3), None)
    assert strategy.s[0].tolist() == pytest.approx(optimum(losses), rel=1e-6, abs=1e-6)  # once only


@pytest.mark.parametrize("init", [0.0, 0, -2.5])
def test_uncertainty_starts_where_it_is_told(init: float) -> None:
    strategy = uncertainty({"init": init})
    strategy.weights(torch.tensor([[4e6, 0.5, 0.02]]), None)
    assert strategy.s[0].tolist() == [init] * 3


def test_a_task_starts_with_its_first_labels() -> None:
    strategy = uncertainty({}, {})
    absent = torch.tensor([[True, False, True], [False, False, True]])
    losses = torch.tensor([[3.0, 0.0, 1.0], [0.0, 0.0, 2.0]])
    weights = strategy.weights(losses, absent)
    assert strategy.started.tolist() == absent.tolist()
    assert strategy.s[~absent].tolist() == [0.0] * 3
    assert (strategy.gradients(losses, weights, absent)[0][~absent] == 0).all() and weights.isfinite().all()
    strategy.weights(
        torch.tensor([[9.0, 0.7, 9.0], [5.0, 0.0, 9.0]]), torch.tensor([[True, True, True], [True, False, True]])
    )
    assert strategy.s[0].tolist() == pytest.approx(optimum([3.0, 0.7, 1.0]))
    assert [strategy.s[1, 0].item(), strategy.s[1, 2].item()] == pytest.approx([math.log(5), math.log(2)])
    assert strategy.started.tolist() == [[True, True, True], [True, False, True]] and strategy.s[1, 1] == 0


@pytest.mark.parametrize("loss", [0.0, math.inf])
def test_a_loss_without_a_logarithm_starts_nothing(loss: float) -> None:
    strategy = uncertainty()
    strategy.weights(torch.tensor([[loss, 1.0, 1.0]]), None)
    assert strategy.s[0, 0] == 0 and strategy.started.tolist() == [[False, True, True]]


def test_the_start_survives_a_checkpoint() -> None:
    strategy, again = uncertainty(), uncertainty()
    strategy.weights(torch.tensor([[3.0, 0.5, 1.0]]), None)
    again.load_state_dict(strategy.state_dict())
    assert torch.equal(again.weights(torch.full((1, 3), 77.0), None), strategy.weights(torch.ones(1, 3), None))


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
        (strategy.s.grad,) = strategy.gradients(losses, strategy.weights(losses, None), None)
        optimizer.step()
    assert strategy.s.exp()[0].tolist() == pytest.approx([5.0, 2 * 0.5004, 0.2], rel=1e-3)
