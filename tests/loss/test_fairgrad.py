import pytest
import torch
from gramians import along, cosine, drawn, hard_gradients, scaled_task, weights_of
from playing import make
from torchjd.aggregation import FairGradWeighting

from mtlrun.loss import StepInputs


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0, 2.0, 5.0, 10.0])
@pytest.mark.parametrize("tasks", [2, 3, 10, 40])
def test_gains_are_that_power_of_the_weights(tasks: int, alpha: float) -> None:
    gradients = drawn(20, tasks)
    weights = weights_of("fairgrad", gradients, alpha=alpha)
    gains = (gradients @ along(weights, gradients).unsqueeze(2)).squeeze(2)
    products = gradients.norm(dim=2) * along(weights, gradients).norm(dim=1, keepdim=True)
    assert ((gains - weights ** (-1 / alpha)).abs() / products).max() < 1e-5


@pytest.mark.parametrize("alpha", [0.5, 2.0, 5.0])
def test_weights_are_those_of_torchjd(alpha: float) -> None:
    gradients = drawn(6, 4)
    theirs = torch.stack([FairGradWeighting(alpha)(g @ g.mT) for g in gradients])
    torch.testing.assert_close(weights_of("fairgrad", gradients, alpha=alpha), theirs, rtol=2e-3, atol=1e-5)


def test_orthogonal_gradients_by_hand() -> None:
    """With lengths l, l² w = w^(−1/α), w = l^(−2α / (1 + α))."""
    lengths = torch.tensor([0.01, 1.0, 50.0]).double()
    gradients = lengths.diag().unsqueeze(0)
    for alpha in (0.5, 2.0, 8.0):
        expected = lengths ** (-2 * alpha / (1 + alpha))
        torch.testing.assert_close(weights_of("fairgrad", gradients, alpha=alpha)[0], expected, rtol=2e-6, atol=0)


def test_alpha_1_is_nash_mtl() -> None:
    gradients = drawn(20, 5)
    torch.testing.assert_close(
        weights_of("fairgrad", gradients, alpha=1.0), weights_of("nash_mtl", gradients), rtol=1e-6, atol=0
    )


def test_a_large_alpha_comes_close_to_mgda() -> None:
    """The share of the least gain in the mean gain, which MGDA's direction has the largest."""
    gradients = drawn(20, 4, common=1.0)

    def least(direction: torch.Tensor) -> torch.Tensor:
        return (gradients @ direction.unsqueeze(2)).amin((1, 2)) / direction.norm(dim=1)

    shares = [least(along(weights_of("fairgrad", gradients, alpha=a), gradients)) for a in (0.5, 2.0, 10.0)]
    best = least(along(weights_of("mgda", gradients), gradients))
    assert (shares[0] < shares[1]).all() and (shares[1] < shares[2]).all() and (shares[2] <= best * (1 + 1e-5)).all()
    assert (shares[2] / best).mean() > 0.9


@pytest.mark.parametrize("alpha, same", [(1.0, True), (0.5, False), (2.0, False)])
def test_only_alpha_1_is_blind_to_the_size_of_a_loss(alpha: float, same: bool) -> None:
    gradients = drawn(20, 3)
    larger = scaled_task(gradients, 100.0)
    least = cosine(
        along(weights_of("fairgrad", gradients, alpha=alpha), gradients),
        along(weights_of("fairgrad", larger, alpha=alpha), larger),
    ).min()
    assert least > 1 - 1e-8 if same else least < 0.9


def test_runs_of_a_stack_may_differ_in_alpha() -> None:
    gradients = drawn(3, 4)
    settings = [{"alpha": 0.3}, {"alpha": 1.0}, {"alpha": 9.0}]
    strategy = make("fairgrad", settings, tasks=list("abcd"), noise=[(0.5, 0.5)] * 4)
    together = strategy.weights(StepInputs(torch.ones(3, 4), None, 0, gradients.float())).double()
    for r, s in enumerate(settings):
        alone = weights_of("fairgrad", gradients[r : r + 1], **s)
        torch.testing.assert_close(together[r : r + 1], alone, rtol=1e-6, atol=0)


def test_identical_tasks_give_their_direction() -> None:
    gradients = drawn(5, 1).expand(-1, 4, -1)
    assert cosine(along(weights_of("fairgrad", gradients), gradients), gradients[:, 0]).min() > 1 - 1e-9


@pytest.mark.parametrize("tasks", [2, 6, 12])
def test_no_weight_is_0_however_unequal_the_gains(tasks: int) -> None:
    """w = u^(−α): with α = 10 and lengths apart by 1e12 weights of 1e-100 are solutions. Float32 has no such number."""
    apart = 10 ** torch.linspace(-6, 6, tasks).double().unsqueeze(1)
    for name, gradients in hard_gradients(tasks, 4).items():
        gradients = gradients * apart
        weights = weights_of("fairgrad", gradients, alpha=10.0)
        sizes = weights * gradients.norm(dim=2)
        assert ((weights > 0) & weights.isfinite()).all(), name
        assert (sizes > 0.9e-20 * sizes.amax(1, keepdim=True)).all(), name
