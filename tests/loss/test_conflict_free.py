"""ConFIG: the same cosine to every task's gradient."""

import pytest
import torch
from playing import make, some_gradients
from torch import Tensor
from torchjd.aggregation import ConFIG

from mtlrun.loss import StepInputs


def direction(gradients: Tensor) -> Tensor:
    """`[R, D]` float64 for gradients `[R, T, D]`."""
    runs, tasks = gradients.shape[:2]
    names = [f"t{i}" for i in range(tasks)]
    strategy = make("config", [{}] * runs, tasks=names, noise=[(1.0, 0.5)] * tasks)
    weights = strategy.weights(StepInputs(torch.ones(runs, tasks), None, 0, gradients))
    return (weights.double().unsqueeze(2) * gradients.double()).sum(1)


@pytest.mark.parametrize(("tasks", "size"), [(2, 9), (3, 9), (10, 90), (40, 200), (3, 2), (10, 6), (40, 20)])
def test_directions_are_those_of_torchjd(tasks: int, size: int) -> None:
    """Also of gradients that depend on each other."""
    gradients = some_gradients(1, 10, tasks, size)[0]
    for own, found in zip(gradients.double(), direction(gradients), strict=True):
        expected = ConFIG()(own)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.norm()))


@pytest.mark.parametrize("tasks", [2, 3, 10, 40])
def test_cosines_are_equal_and_the_length_is_the_sum_of_the_projections(tasks: int) -> None:
    gradients = some_gradients(1, 10, tasks, 200)[0]
    found = direction(gradients)
    onto = (torch.nn.functional.normalize(gradients.double(), dim=2) * found.unsqueeze(1)).sum(2)
    torch.testing.assert_close(onto, onto.mean(1, keepdim=True).expand_as(onto), rtol=1e-4, atol=1e-6)
    unit = torch.nn.functional.normalize(found, dim=1)
    length = (gradients.double() * unit.unsqueeze(1)).sum((1, 2))
    torch.testing.assert_close(found.norm(dim=1), length, rtol=1e-5, atol=0)


@pytest.mark.parametrize("size", [2, 3, 20])
def test_the_direction_does_not_change_with_the_scale_of_a_task(size: int) -> None:
    gradients = some_gradients(1, 10, 3, size)[0]
    factors = torch.tensor([1e-8, 1.0, 1e8]).unsqueeze(1)
    ways = [torch.nn.functional.normalize(direction(g), dim=1) for g in (gradients, gradients * factors)]
    torch.testing.assert_close((ways[0] * ways[1]).sum(1).abs(), torch.ones(10).double(), rtol=1e-4, atol=0)


def test_identical_and_opposite_tasks() -> None:
    one = some_gradients(1, 5, 1)[0]
    torch.testing.assert_close(direction(one.expand(-1, 3, -1)), 3 * one[:, 0].double(), rtol=1e-5, atol=1e-6)
    assert (direction(torch.cat([one, -0.37 * one], 1)) == 0).all()
