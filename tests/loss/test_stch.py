"""Smooth Tchebycheff: torchjd's figures, and the warm-up of the authors' code."""

import pytest
import torch
from playing import EPOCH, make, some_losses, weigh
from torch import Tensor
from torchjd.scalarization import STCH

from mtlrun.loss.parts import FLOOR


def of_torchjd(values: Tensor, mu: float, weights: Tensor | None = None) -> Tensor:
    """Derivatives of torchjd's scalarisation at these values, float64."""
    known = values.double().requires_grad_()
    (found,) = torch.autograd.grad(STCH(mu, weights)(known), known)
    return found


@pytest.mark.parametrize("mu", [0.01, 0.1, 1.0])
def test_without_a_nadir_it_is_the_formula_on_the_losses(mu: float) -> None:
    losses, present = some_losses(6)
    strategy = make("stch", [{"nadir": "none", "mu": mu}] * 3)
    for i, (step, here) in enumerate(zip(losses, present, strict=True)):
        weights = weigh(strategy, step, here, i)
        for r in range(3):
            assert (weights[r, ~here[r]] == 0).all()
            if here[r].any():
                expected = of_torchjd(step[r, here[r]], mu)
                torch.testing.assert_close(weights[r, here[r]].double(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("mu", [0.1, 1.0])
def test_after_the_warm_up_it_is_the_formula_on_logarithms_over_the_nadir(mu: float) -> None:
    losses = some_losses(4 * EPOCH)[0] + 0.1
    strategy = make("stch", [{"warmup": 2, "mu": mu}] * 3)
    for i, step in enumerate(losses):
        weights = weigh(strategy, step, step=i)
        if i < 2 * EPOCH:
            torch.testing.assert_close(weights, 1 / step)
            continue
        nadir = losses[EPOCH : 2 * EPOCH].double().mean(0)
        for r in range(3):
            derivative = of_torchjd(torch.log(step[r].double() / nadir[r]), mu, torch.ones(3, dtype=torch.float64))
            torch.testing.assert_close(weights[r].double(), 3 * derivative / step[r], rtol=1e-5, atol=1e-7)


def test_at_mu_1_the_direction_is_that_of_fixed_weights() -> None:
    losses = some_losses(2 * EPOCH)[0] + 0.1
    strategy = make("stch", [{"warmup": 1, "mu": 1.0}] * 3)
    weights = torch.stack([weigh(strategy, step, step=i) for i, step in enumerate(losses)])[EPOCH:]
    nadir = losses[:EPOCH].mean(0)
    shares = weights * nadir
    torch.testing.assert_close(shares / shares[..., :1], torch.ones_like(shares), rtol=1e-4, atol=0)


def test_it_does_not_care_for_a_task_s_unit() -> None:
    losses = some_losses(3 * EPOCH)[0] + 0.1
    factors = torch.tensor([1.0, 1e5, 1e-3])
    one, other = make("stch", [{"warmup": 1, "mu": 0.2}] * 3), make("stch", [{"warmup": 1, "mu": 0.2}] * 3)
    for i, step in enumerate(losses):
        scaled = weigh(other, step * factors, step=i) * factors
        torch.testing.assert_close(scaled, weigh(one, step, step=i), rtol=1e-4, atol=1e-6)


def test_a_task_without_labels_in_the_warm_up_stands_at_its_nadir_until_it_has_one() -> None:
    here, without_b = torch.tensor([[True, True, True]]), torch.tensor([[True, False, True]])
    strategy = make("stch", [{"warmup": 1, "mu": 0.5}])
    for i in range(EPOCH):
        weights = weigh(strategy, torch.tensor([[2.0, 0.0, 4.0]]), without_b, i)
        torch.testing.assert_close(weights, torch.tensor([[0.5, 0.0, 0.25]]))
    for i in range(EPOCH, 2 * EPOCH):
        losses = torch.tensor([[1.0, 6.0 + i, 4.0]])
        weights = weigh(strategy, losses, here, i)
        shares = torch.softmax(torch.tensor([[0.5, 1.0, 1.0]]).log() / 0.5, 1)
        torch.testing.assert_close(weights, 3 * shares / losses)
    losses = torch.tensor([[1.0, 3.0, 4.0]])
    weights = weigh(strategy, losses, here, 2 * EPOCH)
    nadir = torch.tensor([[2.0, 6.0 + EPOCH + (EPOCH - 1) / 2, 4.0]])
    torch.testing.assert_close(weights, 3 * torch.softmax((losses / nadir).log() / 0.5, 1) / losses)


def test_a_loss_of_0_counts_as_the_floor() -> None:
    weights = weigh(make("stch", [{}]), torch.tensor([[0.0, 1.0, 2.0]]))
    torch.testing.assert_close(weights, torch.tensor([[1 / FLOOR, 1.0, 0.5]]))
