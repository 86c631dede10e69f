import pytest
import torch
from gramians import along, cosine, drawn, hard_gradients, scaled_task, weights_of
from torchjd.aggregation import DualProjWeighting
from torchjd.linalg import QuadprogProjector


@pytest.mark.parametrize("tasks", [2, 3, 6, 8, 20, 40])
def test_weights_are_those_of_torchjd(tasks: int) -> None:
    gradients, close = drawn(5, tasks), drawn(5, tasks, size=tasks + 2, common=0.0, seed=4)
    reference = DualProjWeighting(projector=QuadprogProjector(norm_eps=1e-12, reg_eps=1e-9))
    theirs = torch.stack([reference(g @ g.mT) for g in gradients])
    torch.testing.assert_close(weights_of("dualproj", gradients), theirs, rtol=1e-5, atol=1e-6)
    # nearly as many gradients as numbers: the direction is known better than the weights
    theirs = torch.stack([reference(g @ g.mT) for g in close])
    torch.testing.assert_close(along(weights_of("dualproj", close), close), along(theirs, close), rtol=0, atol=1e-4)


def test_two_tasks_by_hand() -> None:
    """(3, 0) and (−1, 1): the mean (1, ½) against the second, −½ on the square 2, gets a quarter of it more."""
    gradients = torch.tensor([[[3.0, 0], [-1, 1]], [[1, 0], [1, 1]]])
    expected = torch.tensor([[0.5, 0.75], [0.5, 0.5]]).double()
    torch.testing.assert_close(weights_of("dualproj", gradients), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("tasks", [3, 8])
def test_it_conflicts_with_no_task(tasks: int) -> None:
    for name, gradients in hard_gradients(tasks, 10).items():
        direction = along(weights_of("dualproj", gradients), gradients)
        gains = (gradients @ direction.unsqueeze(2)).squeeze(2)
        against = gains / gradients.norm(dim=2) / gradients.norm(dim=2).amax(1, keepdim=True)
        assert against.min() > -3e-3, name  # a conflict is avoided up to √1e-6 of the lengths


def test_the_direction_is_not_blind_to_the_size_of_a_loss() -> None:
    gradients = drawn(20, 3)
    larger = scaled_task(gradients, 10.0)
    assert (
        cosine(along(weights_of("dualproj", gradients), gradients), along(weights_of("dualproj", larger), larger)).min()
        < 0.9
    )


def test_identical_tasks_give_their_own_gradient() -> None:
    gradients = drawn(5, 1).expand(-1, 4, -1)
    torch.testing.assert_close(
        along(weights_of("dualproj", gradients), gradients), gradients[:, 0], rtol=1e-5, atol=1e-6
    )
