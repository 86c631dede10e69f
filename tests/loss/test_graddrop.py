"""GradDrop against torchjd on the same random numbers, and its expectation."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from playing import make, some_gradients
from support import make_config
from torch import Tensor
from torchjd.aggregation import GradDrop

from mtlrun.loss import StepInputs
from mtlrun.model.layers import generator
from mtlrun.util.errors import RequestError


def directions(settings: Sequence[dict[str, Any]], gradients: Tensor, steps: Sequence[int]) -> list[Tensor]:
    strategy = make("graddrop", settings)
    found = []
    for step in steps:
        weights = strategy.weights(StepInputs(torch.ones(gradients.shape[:2]), None, step, gradients))
        assert (weights == 1).all()
        found.append(strategy.direction(weights, gradients))
    return found


@pytest.mark.parametrize("leak", [0.0, 0.3, 1.0])
def test_the_direction_is_that_of_torchjd_with_the_same_random_numbers(
    leak: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradients = some_gradients(1, runs=2, tasks=4, size=500)[0]
    found = directions([{"leak": leak}] * 2, gradients, [0, 7])
    for step, direction in zip([0, 7], found, strict=True):
        for r in range(2):
            drawn = torch.rand(500, generator=generator(r, "graddrop", step))
            with monkeypatch.context() as patched:
                patched.setattr(torch, "rand", lambda *a, drawn=drawn, **k: drawn)
                expected = GradDrop(leak=torch.full((4,), leak))(gradients[r])
            torch.testing.assert_close(direction[r], expected, rtol=1e-5, atol=1e-5)


def test_the_mean_over_draws_is_the_formula_s() -> None:
    """P Σg⁺ + (1 − P) Σg⁻ = (Σg⁺² + Σg⁻²) / (Σg⁺ − Σg⁻) without leak, with signs."""
    gradients = some_gradients(1, runs=1, tasks=3, size=40)[0]
    draws = torch.stack(directions([{}], gradients, range(4000))).double()[:, 0]
    positive, negative = (part.double().sum(1)[0] for part in (gradients.clamp_min(0), gradients.clamp_max(0)))
    p = positive / (positive - negative)
    error = (draws.mean(0) - (p * positive + (1 - p) * negative)) / (draws.std(0) / 4000**0.5).clamp_min(1e-4)
    assert ((p > 0.02) & (p < 0.98)).sum() > 10  # elements in which signs conflict
    assert error.abs().max() < 4.5


def test_where_signs_agree_nothing_is_dropped() -> None:
    gradients = torch.tensor([[[1.0, -2.0, 0.0, 3.0], [4.0, -0.5, 0.0, 0.0]]])
    for direction in directions([{}], gradients, range(20)):
        assert direction.tolist() == [[5.0, -2.5, 0.0, 3.0]]


def test_elements_draw_the_same_numbers_however_many_follow() -> None:
    """Where heads are shared in some runs of a stack, gradients have more elements than in those runs alone."""
    gradients = some_gradients(1, runs=1, tasks=3, size=2000)[0]
    (whole,), (part,) = (directions([{}], gradients[..., :size], [3]) for size in (2000, 1111))
    assert torch.equal(whole[:, :1111], part)


@pytest.mark.parametrize("key, value", [("scale", "sum_to_T"), ("heads", "weighted")])
def test_what_speaks_of_weights_is_refused(key: str, value: str) -> None:
    with pytest.raises(RequestError, match=rf"loss.{key}: {value} has no meaning with loss=graddrop, .* no task has"):
        make_config(loss={"name": "graddrop", key: value})
