"""The gradient vaccine, against the algorithm on the gradients themselves."""

import math

import pytest
import torch
from playing import make, some_gradients
from torch import Tensor
from torchjd.aggregation import GradVacWeighting

from mtlrun.loss import StepInputs
from mtlrun.loss.gradvac import Gradvac


def vaccine(beta: float, runs: int = 1, tasks: int = 2) -> Gradvac:
    names = [f"t{i}" for i in range(tasks)]
    strategy = make("gradvac", [{"beta": beta}] * runs, tasks=names, noise=[(1.0, 0.5)] * tasks)
    assert isinstance(strategy, Gradvac)
    return strategy


def weigh(strategy: Gradvac, gradients: Tensor, step: int = 0) -> Tensor:
    return strategy.weights(StepInputs(torch.ones(gradients.shape[:2]), None, step, gradients))


def by_hand(gradients: Tensor, order: list[list[int]], targets: Tensor, beta: float) -> Tensor:
    """The direction of one run's gradients `[T, D]` float64; moves the targets `[T, T]`."""
    total = torch.zeros_like(gradients[0])
    for i, others in enumerate(order):
        own = gradients[i].clone()
        for j in others:
            cosine = float(own @ gradients[j] / own.norm() / gradients[j].norm())
            target = float(targets[i, j])
            if cosine < target:
                root, aim = math.sqrt(1 - cosine**2), math.sqrt(1 - target**2)
                own += own.norm() * (target * root - cosine * aim) / (gradients[j].norm() * aim) * gradients[j]
                assert float(own @ gradients[j] / own.norm() / gradients[j].norm()) == pytest.approx(target)
            targets[i, j] = (1 - beta) * target + beta * cosine
        total += own
    return total


@pytest.mark.parametrize("tasks", [2, 3, 10, 40])
@pytest.mark.parametrize("beta", [0.01, 0.5])
def test_directions_and_targets_are_those_of_the_algorithm(tasks: int, beta: float) -> None:
    strategy = vaccine(beta, 2, tasks)
    targets = torch.zeros(2, tasks, tasks, dtype=torch.float64)
    for step, gradients in enumerate(some_gradients(6, 2, tasks, 60, common=0.3)):
        away = step % tasks
        gradients[1, away] = 0  # without a label, in the second run
        weights = weigh(strategy, gradients, step)
        orders = strategy.stream(step, torch.ones(1, dtype=torch.long)).tolist()
        for r, own in enumerate(gradients.double()):
            order = [[j for j in others if own[j].any()] for others in orders[r]]
            if r == 1:
                order[away] = []
            expected = by_hand(own, order, targets[r], beta)
            torch.testing.assert_close(weights[r].double() @ own, expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(strategy.targets, targets, rtol=1e-5, atol=1e-6)


def test_a_task_that_is_away_leaves_its_targets_alone() -> None:
    strategy = vaccine(0.5, tasks=3)
    gradients = some_gradients(2, 1, 3)
    weigh(strategy, gradients[0])
    before = strategy.targets.clone()
    assert (before[0, ~torch.eye(3, dtype=torch.bool)] != 0).all() and (before.diagonal(dim1=1, dim2=2) == 0).all()
    gradients[1, 0, 1] = 0
    weigh(strategy, gradients[1], 1)
    changed = (strategy.targets != before)[0]
    assert changed.tolist() == [[False, False, True], [False, False, False], [True, False, False]]


@pytest.mark.parametrize("beta", [0.01, 0.5])
def test_two_tasks_are_weighed_as_torchjd_does(beta: float) -> None:
    strategy, oracle = vaccine(beta), GradVacWeighting(beta=beta, eps=0.0)
    for step, gradients in enumerate(some_gradients(30, 1, 2, common=1.0)):
        own = gradients[0].double()
        weights = weigh(strategy, gradients, step)[0]
        torch.testing.assert_close(weights.double(), oracle(own @ own.T), rtol=1e-5, atol=1e-6)


def test_without_a_target_it_is_pcgrad() -> None:
    """β = 0: targets stay 0."""
    strategy = vaccine(0.0)
    twin = make("pcgrad", [{}], tasks=["a", "b"], noise=[(1.0, 0.5)] * 2)
    for step, gradients in enumerate(some_gradients(20, 1, 2, common=0.0)):
        expected = twin.weights(StepInputs(torch.ones(1, 2), None, step, gradients))
        torch.testing.assert_close(weigh(strategy, gradients, step), expected, rtol=1e-6, atol=1e-6)


def test_targets_of_1_are_finite() -> None:
    """Identical tasks, then tasks that conflict."""
    strategy = vaccine(1.0)
    one, other = some_gradients(1, 1, 2)[0, 0]
    for step in range(3):
        weights = weigh(strategy, torch.stack([one, one])[None], step)
        torch.testing.assert_close(weights, torch.ones(1, 2), rtol=0, atol=1e-3)
    weights = weigh(strategy, torch.stack([one, other])[None], 3)
    assert weights.isfinite().all() and strategy.targets.isfinite().all()


def test_opposite_gradients_leave_no_cosine_behind() -> None:
    """What is left of a task that met the opposite of its gradient is 0: no targets follow that."""
    gradients = some_gradients(1, 1, 3)[0]
    gradients[0, 1] = -gradients[0, 0]
    strategy = vaccine(0.01, tasks=3)
    for step in range(8):
        assert weigh(strategy, gradients, step).isfinite().all()
    assert strategy.targets.abs().max() < 0.1 and strategy.targets[0, 0, 1] == pytest.approx(0.99**8 - 1)
