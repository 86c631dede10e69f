"""Aligned components."""

import pytest
import torch
from playing import make, some_gradients
from torch import Tensor
from torchjd.aggregation import AlignedMTLWeighting

from mtlrun.loss import StepInputs


def aligned(gradients: Tensor) -> Tensor:
    """Weights `[R, T]` float64 for gradients `[R, T, D]`."""
    runs, tasks = gradients.shape[:2]
    names = [f"t{i}" for i in range(tasks)]
    strategy = make("aligned_mtl", [{}] * runs, tasks=names, noise=[(1.0, 0.5)] * tasks)
    return strategy.weights(StepInputs(torch.ones(runs, tasks), None, 0, gradients)).double()


@pytest.mark.parametrize(("tasks", "size"), [(2, 9), (3, 9), (10, 90), (40, 200), (3, 2), (10, 6), (40, 20)])
def test_weights_are_those_of_torchjd(tasks: int, size: int) -> None:
    """Also of gradients that depend on each other. Whole numbers: their Gramian is exact in float32 too."""
    gradients = (16 * some_gradients(1, 10, tasks, size)[0]).round()
    for own, weights in zip(gradients.double(), aligned(gradients), strict=True):
        torch.testing.assert_close(weights, AlignedMTLWeighting()(own @ own.T), rtol=1e-5, atol=1e-5)


def test_the_combined_components_have_one_length() -> None:
    """B G B' = λ_min I for the matrix B whose rows weigh the gradients; here through its row mean, for two tasks.

    Gradients (3, 0) and (0, 1): λ = 9 and 1, so that the first is divided by 3.
    """
    weights = aligned(torch.tensor([[[3.0, 0.0], [0.0, 1.0]]]))
    assert weights[0].tolist() == pytest.approx([0.5 / 3, 0.5])
    # √λ_min G^(−½) by scipy's matrix square root
    from scipy.linalg import sqrtm

    for own in some_gradients(1, 5, 4, 9)[0].double():
        gramian = (own @ own.T).numpy()
        balance = torch.linalg.eigvalsh(own @ own.T)[0].sqrt() * torch.linalg.inv(torch.from_numpy(sqrtm(gramian)).real)
        torch.testing.assert_close(aligned(own[None].float())[0], balance.sum(1) / 4, rtol=1e-4, atol=1e-5)


def test_the_direction_changes_with_the_scale_of_a_task() -> None:
    gradients = some_gradients(1, 10, common=0.5)[0]
    factors = torch.tensor([1.0, 1.0, 10.0]).unsqueeze(1)
    ways = [
        torch.nn.functional.normalize((aligned(g).unsqueeze(2) * g.double()).sum(1), dim=1)
        for g in (gradients, gradients * factors)
    ]
    assert ((ways[0] * ways[1]).sum(1) < 0.99).sum() >= 5


def test_identical_tasks_have_the_direction_of_one() -> None:
    """The component of which identical tasks have nothing is none, whatever rounding says."""
    one = some_gradients(1, 5, 1, 301)[0]
    weights = aligned(torch.cat([one, one, one], 1))
    torch.testing.assert_close(weights.sum(1), torch.ones(5, dtype=torch.float64), rtol=1e-5, atol=0)
    scaled = aligned(torch.cat([one, 1.7 * one], 1))
    length = (scaled * torch.tensor([1.0, 1.7])).sum(1)
    # λ = (1 + 1.7²)‖g‖², v = (1, 1.7)/√(1 + 1.7²), weights v (v'1)/2
    torch.testing.assert_close(length, torch.full_like(length, 2.7 / 2), rtol=1e-5, atol=0)


def test_a_gradient_a_million_times_smaller_is_none_the_less_one() -> None:
    """The large one is brought to its length, not the small one left out."""
    gradients = torch.tensor([[[1e6, 0.0], [0.0, 1.0]]])
    assert aligned(gradients)[0].tolist() == pytest.approx([0.5e-6, 0.5], rel=1e-5)
