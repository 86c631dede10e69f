"""ExcessMTL against torchjd, a float64 reference, and what it does with label noise."""

import numpy as np
import pytest
import torch
from playing import EPOCH, NOISE, make, play, some_gradients, some_losses
from support import make_config
from torch import Tensor
from torchjd.aggregation import ExcessMTLWeighting

from mtlrun.util.errors import RequestError


def reference(gradients: np.ndarray, lr: float, warmup: int) -> np.ndarray:
    """Weights `[steps, T]` by equations 6, 7 and 9 in float64; gradients `[steps, T, D]`, all of them present."""
    squares, initial = np.zeros(gradients.shape[1:]), np.zeros(gradients.shape[1])
    weights, found = np.full(gradients.shape[1], 1 / gradients.shape[1]), []
    for k, g in enumerate(gradients):
        squares += g**2
        excess = (g**2 / np.sqrt(squares)).sum(1)
        if k < warmup:
            initial += excess / warmup
        else:
            weights = weights * np.exp(lr * excess / initial)
            weights = weights / weights.sum()
        found.append(weights)
    return np.stack(found)


def played(settings: list[dict[str, float]], gradients: Tensor) -> Tensor:
    losses = torch.ones(gradients.shape[:3])
    return play(make("excess_mtl", settings), losses, None, gradients)[0]


@pytest.mark.parametrize("lr, epochs", [(0.01, 3), (0.5, 1), (1.0, 0)])
def test_weights_are_those_of_the_formula(lr: float, epochs: int) -> None:
    gradients = some_gradients(40, runs=2)
    weights = played([{"lr": lr, "warmup": epochs}] * 2, gradients)
    for r in range(2):
        expected = reference(gradients[:, r].double().numpy(), lr, max(1, epochs * EPOCH))
        np.testing.assert_allclose(weights[:, r], expected, rtol=1e-4, atol=1e-6)
    assert (weights[-1] - 1 / 3).abs().max() > 0.01


@pytest.mark.parametrize("epochs", [1, 3])
def test_weights_are_torchjd_s(epochs: int) -> None:
    gradients = some_gradients(40, runs=1)
    weights = played([{"lr": 0.2, "warmup": epochs}], gradients)
    oracle = ExcessMTLWeighting(0.2, epochs * EPOCH)
    expected = torch.stack([oracle(g) for g in gradients[:, 0]])
    torch.testing.assert_close(weights[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_weights_do_not_depend_on_the_scale_of_a_task() -> None:
    gradients = some_gradients(30, runs=1)
    scaled = gradients * torch.tensor([1e-6, 1.0, 1e6]).view(1, 1, 3, 1)
    settings = [{"lr": 0.5, "warmup": 1}]
    torch.testing.assert_close(played(settings, scaled), played(settings, gradients), rtol=1e-4, atol=1e-6)


def test_a_task_that_is_never_there_changes_nothing_for_the_others() -> None:
    gradients, (losses, _) = some_gradients(30, runs=1), some_losses(30, runs=1)
    present = torch.tensor([True, False, True]).expand(30, 1, 3)
    settings = [{"lr": 0.5, "warmup": 1}]
    weights, ways, _ = play(make("excess_mtl", settings), losses * present, present, gradients)
    fewer = make("excess_mtl", settings, tasks=["a", "c"], noise=[NOISE[0], NOISE[2]])
    kept = [0, 2]
    expected, same, _ = play(fewer, losses[..., kept], None, gradients[:, :, kept])
    torch.testing.assert_close(weights[..., kept], expected)
    torch.testing.assert_close(ways, same)
    assert (weights[..., 1] == 0).all()


def test_a_task_without_a_label_keeps_its_ratio_to_the_others() -> None:
    """To their geometric mean, until it is back."""
    gradients, losses = some_gradients(30, runs=1), torch.ones(30, 1, 3)
    present = torch.ones(30, 1, 3, dtype=torch.bool)
    present[15:29, :, 1] = False
    strategy = make("excess_mtl", [{"lr": 0.2, "warmup": 0}])
    weights, _, _ = play(strategy, (losses * present)[:29], present[:29], gradients[:29])

    def ratio(w: Tensor) -> float:
        return float(w[0, 1] / (w[0, 0] * w[0, 2]).sqrt())

    logits = strategy.state()["ExcessMtl.logits"]
    assert ratio(logits.exp()) == pytest.approx(ratio(weights[14]), rel=1e-5)
    assert abs(ratio(weights[14]) - 1) > 0.05
    torch.testing.assert_close(weights[28, :, [0, 2]], torch.softmax(logits[:, [0, 2]], 1))


def test_features_of_different_batches_are_refused() -> None:
    with pytest.raises(
        RequestError, match=r"loss\.at: representation has no meaning with loss=excess_mtl, as it keeps"
    ):
        make_config(loss={"name": "excess_mtl", "at": "representation"})
