import math

import pytest
import torch
from gramians import along, cosine, drawn, scaled_task, weights_of


@pytest.mark.parametrize("tasks", [2, 3, 6, 10, 40])
def test_gains_are_the_inverse_of_the_weights(tasks: int) -> None:
    gradients = drawn(30, tasks)
    weights = weights_of("nash_mtl", gradients)
    direction = along(weights, gradients)
    gains = (gradients @ direction.unsqueeze(2)).squeeze(2)
    torch.testing.assert_close(gains * weights, torch.ones_like(gains), rtol=0, atol=3e-5)
    torch.testing.assert_close(direction.norm(dim=1), torch.full((30,), math.sqrt(tasks)).double(), rtol=1e-5, atol=0)


def test_two_tasks_by_hand() -> None:
    """Of lengths 1 and 2 with the cosine ½: a = (1, ½) / √(1 + ½)."""
    gradients = torch.tensor([[[1.0, 0], [1, math.sqrt(3)]], [[1, 0], [0, 0]]])
    expected = torch.tensor([[1.0, 0.5], [math.sqrt(1.5), 0]]) / math.sqrt(1.5)
    torch.testing.assert_close(weights_of("nash_mtl", gradients), expected.double(), rtol=2e-6, atol=0)


def test_no_direction_of_its_length_has_a_larger_product_of_gains() -> None:
    gradients = drawn(10, 3, size=4, common=1.0)
    direction = along(weights_of("nash_mtl", gradients), gradients)
    best = (gradients @ direction.unsqueeze(2)).prod(1)
    near = direction.unsqueeze(2) + 0.1 * torch.randn(10, 4, 500, generator=torch.Generator().manual_seed(0)).double()
    near = near / near.norm(dim=1, keepdim=True) * direction.norm(dim=1)[:, None, None]
    gains = gradients @ near
    assert (torch.where((gains > 0).all(1), gains.prod(1), 0) <= best * (1 + 1e-5)).all()


@pytest.mark.parametrize("factor", [1e-3, 10.0, 1e4])
def test_a_loss_times_a_number_has_its_weight_divided_by_it(factor: float) -> None:
    gradients = drawn(20, 4)
    before, after = weights_of("nash_mtl", gradients), weights_of("nash_mtl", scaled_task(gradients, factor))
    after[:, 0] *= factor
    torch.testing.assert_close(after, before, rtol=1e-4, atol=0)
    larger = scaled_task(gradients, factor)
    assert cosine(along(weights_of("nash_mtl", larger), larger), along(before, gradients)).min() > 1 - 1e-8


def test_identical_tasks_give_their_direction() -> None:
    gradients = drawn(5, 1).expand(-1, 4, -1)
    direction = along(weights_of("nash_mtl", gradients), gradients)
    assert cosine(direction, gradients[:, 0]).min() > 1 - 1e-9


def test_opposite_gradients_have_finite_weights() -> None:
    gradients = torch.tensor([[[1.0, 2.0], [-1.0, -2.0], [0.0, 1.0]]])
    weights = weights_of("nash_mtl", gradients)
    assert weights.isfinite().all() and (weights > 0).all() and weights.max() < 1e4
