import numpy
import pytest
import torch
from gramians import along, cosine, drawn, hard_gradients, scaled_task, weights_of
from scipy.optimize import minimize


@pytest.mark.parametrize("c", [0.1, 0.4, 0.9])
@pytest.mark.parametrize("tasks", [2, 3, 6, 8, 20])
def test_the_least_gain_is_as_large_as_the_dual_allows(tasks: int, c: float) -> None:
    """In the ball, with a least gain equal to the dual problem's value, which no direction in the ball can exceed."""
    gradients = drawn(20, tasks)
    weights = weights_of("cagrad", gradients, c=c)
    direction, mean = along(weights, gradients), gradients.mean(1)
    radius = c * mean.norm(dim=1)
    assert ((direction - mean).norm(dim=1) <= radius * (1 + 1e-5)).all()
    least = (gradients @ direction.unsqueeze(2)).squeeze(2).amin(1)
    w = weights - 1 / tasks
    w = w / w.sum(1, keepdim=True)
    assert w.min() > -1e-6
    dual = (along(w, gradients) * mean).sum(1) + radius * along(w, gradients).norm(dim=1)
    size = mean.norm(dim=1) * gradients.norm(dim=2).amin(1)
    assert ((dual - least) / size).abs().max() < 2e-5


@pytest.mark.parametrize("tasks", [2, 5, 8])
def test_weights_are_those_of_a_general_solver_on_the_dual(tasks: int) -> None:
    gradients = drawn(4, tasks, common=0.5)
    weights = weights_of("cagrad", gradients)
    for r in range(4):
        g = (gradients[r] @ gradients[r].mT).numpy()
        b, radius = g.mean(1), 0.4 * numpy.sqrt(g.mean())
        simplex = {"type": "eq", "fun": lambda w: w.sum() - 1}
        reference = minimize(
            lambda w, g=g, b=b, radius=radius: w @ b + radius * numpy.sqrt(w @ g @ w),
            numpy.ones(tasks) / tasks,
            bounds=[(0, 1)] * tasks,
            constraints=simplex,
            options={"ftol": 1e-15, "maxiter": 999},
        )
        expected = 1 / tasks + radius * reference.x / numpy.sqrt(reference.x @ g @ reference.x)
        torch.testing.assert_close(weights[r], torch.tensor(expected), rtol=2e-3, atol=2e-4)


def test_two_tasks_by_hand() -> None:
    """g = (1, 0), (−1, 2): the mean is (0, 1), and the least gain within c of it grows towards the first alone, by
    (1, 0) w1 + (−1, 2) w2 with gains x and −x + 2y equal at x = y, so for c < 1/√2 all the weight is on the first."""
    gradients = torch.tensor([[[1.0, 0], [-1, 2]]])
    torch.testing.assert_close(
        weights_of("cagrad", gradients, c=0.3), torch.tensor([[0.8, 0.5]]).double(), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("tasks", [2, 3, 4, 5, 6, 7, 8, 10, 13, 20, 40])
def test_c_0_is_the_mean_of_the_losses_and_a_small_c_is_near_it(tasks: int) -> None:
    """Also with gradients that are dependent, of very different lengths, or around 0; and with tasks that have none."""
    for name, gradients in hard_gradients(tasks, 4).items():
        gradients = gradients.float().double()
        for away in (0, 1, tasks // 2):
            gradients[:, tasks - away :] = 0.0  # no label in the batch, or a gradient of 0
            here = torch.arange(tasks) < tasks - away
            mean = gradients.sum(1) / (tasks - away)
            exact = torch.where(here, 1 / (tasks - away), 0.0).float().double().expand(4, -1)
            assert torch.equal(weights_of("cagrad", gradients, c=0.0), exact), (name, away)
            for c in (1e-9, 1e-6, 1e-3):
                weights = weights_of("cagrad", gradients, c=c)
                moved = along(weights - exact, gradients).norm(dim=1)
                longest = gradients.norm(dim=2).amax(1)
                # the Gramian of float32 knows the length of the mean to 1e-3 of the longest gradient
                assert (moved <= c * (mean.norm(dim=1) + 2e-3 * longest) + 1e-7 * longest).all(), (name, away, c)


@pytest.mark.parametrize("tasks", [2, 3, 8])
@pytest.mark.parametrize("share", [0.1, 0.01, 3e-3])
def test_it_stays_in_the_ball_where_the_mean_nearly_vanishes(tasks: int, share: float) -> None:
    gradients = torch.randn(50, tasks, 2 * tasks + 3, generator=torch.Generator().manual_seed(0)).double()
    gradients = (gradients - (1 - share) * gradients.mean(1, keepdim=True)).float().double()
    weights, mean = weights_of("cagrad", gradients), gradients.mean(1)
    moved = (along(weights, gradients) - mean).norm(dim=1)
    assert (moved / (0.4 * mean.norm(dim=1))).max() < 1.02


def test_the_direction_is_not_blind_to_the_size_of_a_loss() -> None:
    gradients = drawn(20, 3)
    larger = scaled_task(gradients, 10.0)
    assert (
        cosine(along(weights_of("cagrad", gradients), gradients), along(weights_of("cagrad", larger), larger)).min()
        < 0.9
    )
    every = 100 * gradients
    torch.testing.assert_close(weights_of("cagrad", every), weights_of("cagrad", gradients), rtol=1e-4, atol=1e-5)


def test_identical_tasks_give_their_gradient_and_c_of_it() -> None:
    gradients = drawn(5, 1).expand(-1, 4, -1)
    torch.testing.assert_close(
        along(weights_of("cagrad", gradients), gradients), 1.4 * gradients[:, 0], rtol=1e-5, atol=1e-6
    )


def test_where_no_direction_lowers_all_losses_it_stays_in_the_ball() -> None:
    gradients = torch.tensor([[[1.0, 0], [-1, 0], [0, 1]]]).double()
    weights = weights_of("cagrad", gradients)
    assert weights.isfinite().all()
    direction, mean = along(weights, gradients), gradients.mean(1)
    assert (direction - mean).norm() <= 0.4 * mean.norm() * (1 + 1e-4)
    assert (gradients @ direction.unsqueeze(2)).min() > -1e-3
