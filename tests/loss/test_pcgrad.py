"""Projections of conflicting gradients, against the algorithm on the gradients themselves."""

import pytest
import torch
from playing import make, some_gradients
from torch import Tensor
from torchjd.aggregation import PCGradWeighting

from mtlrun.loss import StepInputs
from mtlrun.loss.pcgrad import Pcgrad


def by_hand(gradients: Tensor, order: list[list[int]]) -> Tensor:
    """The direction of one run's gradients `[T, D]` float64; `order[i]`: whom the gradient of i is held against."""
    total = torch.zeros_like(gradients[0])
    for i, others in enumerate(order):
        own = gradients[i].clone()
        for j in others:
            against, square = own @ gradients[j], gradients[j] @ gradients[j]
            if against < 0:
                own -= against / square * gradients[j]
        total += own
    return total


@pytest.mark.parametrize("tasks", [1, 2, 3, 10, 40])
def test_the_direction_is_that_of_the_algorithm(tasks: int) -> None:
    settings: dict = {"tasks": [f"t{i}" for i in range(tasks)], "noise": [(1.0, 0.5)] * tasks}
    strategy = make("pcgrad", [{}, {}], **settings)
    assert isinstance(strategy, Pcgrad)
    for step, gradients in enumerate(some_gradients(3, 2, tasks, 60, common=0.1)):
        if tasks > 3:
            gradients[0, 2] = 0  # without a label
        weights = strategy.weights(StepInputs(torch.ones(2, tasks), None, step, gradients))
        orders = strategy.stream(step, torch.ones(1, dtype=torch.long)).tolist()
        for r, own in enumerate(gradients.double()):
            order = [[j for j in others if own[j].any()] for others in orders[r]]
            torch.testing.assert_close(weights[r].double() @ own, by_hand(own, order), rtol=1e-5, atol=1e-5)


def test_every_order_of_the_others_is_drawn_alike() -> None:
    strategy = make("pcgrad", [{}])
    assert isinstance(strategy, Pcgrad)
    drawn = torch.stack([strategy.stream(step, torch.ones(1, dtype=torch.long))[0] for step in range(2000)])
    for i, others in enumerate([[1, 2], [0, 2], [0, 1]]):
        assert (drawn[:, i].sort(1).values == torch.tensor(others)).all()
        assert (drawn[:, i, 0] == others[0]).double().mean().item() == pytest.approx(0.5, abs=0.05)


def test_two_tasks_are_weighed_as_torchjd_does() -> None:
    strategy = make("pcgrad", [{}], tasks=["a", "b"], noise=[(1.0, 0.5)] * 2)
    for step, gradients in enumerate(some_gradients(20, 1, 2, common=0.0)):
        weights = strategy.weights(StepInputs(torch.ones(1, 2), None, step, gradients))[0]
        own = gradients[0].double()
        torch.testing.assert_close(weights.double(), PCGradWeighting()(own @ own.T), rtol=1e-5, atol=1e-6)
