import numpy
import pytest
import torch
from gramians import along, cosine, drawn, scaled_task, weights_of
from scipy.optimize import minimize
from torchjd.aggregation import MGDAWeighting


def squared(weights: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    return along(weights, gradients).square().sum(1)


def test_two_tasks_by_hand() -> None:
    """The point of the line through both ends that is closest to 0, or an end: Sener & Koltun 2018, algorithm 1."""
    gradients = torch.tensor([[[1.0, 0], [0, 2]], [[1, 0], [3, 1]], [[2, 0], [-1, 0]], [[0, 0], [0, 2]]])
    expected = torch.tensor([[0.8, 0.2], [1, 0], [1 / 3, 2 / 3], [0, 1]]).double()
    torch.testing.assert_close(weights_of("mgda", gradients), expected, rtol=0, atol=3e-6)


@pytest.mark.parametrize("tasks", [2, 3, 6, 8, 20])
def test_no_combination_is_shorter(tasks: int) -> None:
    """Against Frank-Wolfe steps of torchjd, which have converged for three tasks, and a general solver."""
    gradients = drawn(20, tasks)
    weights = weights_of("mgda", gradients)
    torch.testing.assert_close(weights.sum(1), torch.ones(20).double(), rtol=0, atol=1e-6)
    found = squared(weights, gradients)
    gramians = gradients @ gradients.mT
    theirs = torch.stack([MGDAWeighting(epsilon=1e-9, max_iters=1000)(g) for g in gramians])
    assert (found <= squared(theirs, gradients) * (1 + 2e-6)).all()
    if tasks <= 3:
        torch.testing.assert_close(found, squared(theirs, gradients), rtol=1e-3, atol=0)
    for r in range(3):
        matrix = gramians[r].numpy()
        simplex = {"type": "eq", "fun": lambda a: a.sum() - 1}
        reference = minimize(
            lambda a, m=matrix: a @ m @ a,
            numpy.ones(tasks) / tasks,
            bounds=[(0, 1)] * tasks,
            jac=lambda a, m=matrix: 2 * m @ a,
            constraints=simplex,
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert found[r] == pytest.approx(reference.fun, rel=1e-5)


def test_every_loss_falls_and_at_the_same_rate_where_it_has_a_weight() -> None:
    gradients = drawn(50, 5)
    weights = weights_of("mgda", gradients)
    direction = along(weights, gradients)
    gains = (gradients @ direction.unsqueeze(2)).squeeze(2) / direction.square().sum(1, keepdim=True)
    assert (gains > 1 - 1e-4).all()
    assert (gains[weights > 1e-4] < 1 + 1e-4).all()


@pytest.mark.parametrize("normalize", ["l2", "loss", "loss+"])
def test_normalised_gradients_are_as_if_they_had_been_divided(normalize: str) -> None:
    gradients = drawn(20, 4)
    losses = torch.exp(torch.randn(20, 4, generator=torch.Generator().manual_seed(0)))
    by = torch.ones(20, 4).double()
    by *= gradients.norm(dim=2) if normalize in ("l2", "loss+") else 1
    by *= losses.double() if normalize in ("loss", "loss+") else 1
    expected = weights_of("mgda", gradients / by.unsqueeze(2)) / by
    found = weights_of("mgda", gradients, losses, normalize=normalize)
    torch.testing.assert_close(found, expected, rtol=2e-5, atol=1e-6)


def test_a_loss_of_0_is_the_limit_of_small_ones() -> None:
    gradients = drawn(5, 3)
    losses = torch.tensor([[0.0, 1.0, 2.0]]).expand(5, 3)
    close = weights_of("mgda", gradients, losses + torch.tensor([1e-7, 0, 0]), normalize="loss")
    torch.testing.assert_close(weights_of("mgda", gradients, losses, normalize="loss"), close, rtol=1e-4, atol=1e-5)
    assert (weights_of("mgda", gradients, torch.zeros(5, 3), normalize="loss") == 0).all()


def test_the_direction_is_not_blind_to_the_size_of_a_loss_but_when_lengths_are_taken_away() -> None:
    gradients = drawn(20, 3)
    larger = scaled_task(gradients, 10.0)
    same = cosine(along(weights_of("mgda", gradients), gradients), along(weights_of("mgda", larger), larger))
    assert same.min() < 0.9
    unit = [along(weights_of("mgda", g, normalize="l2"), g) for g in (gradients, larger)]
    assert cosine(*unit).min() > 1 - 1e-6


def test_identical_tasks_give_their_own_gradient() -> None:
    gradients = drawn(5, 1).expand(-1, 4, -1)
    torch.testing.assert_close(along(weights_of("mgda", gradients), gradients), gradients[:, 0], rtol=1e-5, atol=1e-6)


def test_where_no_direction_lowers_all_losses_there_is_none() -> None:
    gradients = torch.tensor([[[1.0, 0], [-0.5, 1], [-0.5, -1]]]).double()
    assert along(weights_of("mgda", gradients), gradients).norm() < 1e-5
