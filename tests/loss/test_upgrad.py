import pytest
import torch
from gramians import along, cosine, drawn, hard_gradients, weights_of
from torchjd.aggregation import UPGradWeighting
from torchjd.linalg import QuadprogProjector


@pytest.mark.parametrize("tasks", [2, 3, 6, 8, 20, 40])
def test_weights_are_those_of_torchjd(tasks: int) -> None:
    gradients = drawn(5, tasks)
    reference = UPGradWeighting(projector=QuadprogProjector(norm_eps=1e-12, reg_eps=1e-9))
    theirs = torch.stack([reference(g @ g.mT) for g in gradients])
    torch.testing.assert_close(weights_of("upgrad", gradients), theirs, rtol=1e-5, atol=1e-6)


def test_two_tasks_by_hand() -> None:
    """Each of two in conflict is projected along the other: (1, 0) to (½, ½), (−1, 1) to (0, 1), then the mean."""
    gradients = torch.tensor([[[1.0, 0], [-1, 1]], [[1, 0], [1, 1]]])
    expected = torch.tensor([[1.0, 0.75], [0.5, 0.5]]).double()
    torch.testing.assert_close(weights_of("upgrad", gradients), expected, rtol=0, atol=2e-6)
    torch.testing.assert_close(along(expected[:1], gradients[:1].double()), torch.tensor([[0.25, 0.75]]).double())


@pytest.mark.parametrize("tasks", [3, 8])
def test_it_conflicts_with_no_task(tasks: int) -> None:
    for name, gradients in hard_gradients(tasks, 10).items():
        direction = along(weights_of("upgrad", gradients), gradients)
        gains = (gradients @ direction.unsqueeze(2)).squeeze(2)
        against = gains / gradients.norm(dim=2) / gradients.norm(dim=2).amax(1, keepdim=True)
        assert against.min() > -3e-3, name  # a conflict is avoided up to √1e-6 of the lengths


def test_it_is_linear_in_the_sizes_of_the_losses() -> None:
    """Quinton & Rey 2024: A(diag(a + b) J) = A(diag(a) J) + A(diag(b) J)."""
    gradients = drawn(10, 5)
    stream = torch.Generator().manual_seed(0)
    a, b = (torch.rand(10, 5, 1, generator=stream).double() + 0.1 for _ in range(2))
    whole, first, second = (along(weights_of("upgrad", s * gradients), s * gradients) for s in (a + b, a, b))
    torch.testing.assert_close(whole, first + second, rtol=1e-4, atol=1e-5)


def test_identical_tasks_give_their_own_gradient() -> None:
    gradients = drawn(5, 1).expand(-1, 4, -1)
    torch.testing.assert_close(along(weights_of("upgrad", gradients), gradients), gradients[:, 0], rtol=1e-5, atol=1e-6)


def test_without_conflict_it_is_the_mean() -> None:
    gradients = drawn(10, 8).abs()
    assert (weights_of("upgrad", gradients) - 1 / 8).abs().max() < 1e-6
    assert cosine(along(weights_of("upgrad", gradients), gradients), gradients.mean(1)).min() > 1 - 1e-9
