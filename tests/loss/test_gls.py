"""The geometric mean: torchjd's figures, scaling, missing labels, and what else has its direction."""

import torch
from playing import NOISE, make, some_losses, weigh
from torch import Tensor
from torchjd.scalarization import GeometricMean

from mtlrun.loss.parts import FLOOR


def test_weights_are_those_of_torchjd() -> None:
    losses, present = some_losses(6)
    strategy = make("gls", [{}] * 3)
    for step, here in zip(losses, present, strict=True):
        weights = weigh(strategy, step, here)
        for r in range(3):
            assert (weights[r, ~here[r]] == 0).all()
            if here[r].any():
                known = step[r, here[r]].double().requires_grad_()
                (expected,) = torch.autograd.grad(GeometricMean()(known), known)
                torch.testing.assert_close(weights[r, here[r]].double(), expected, rtol=1e-5, atol=0)


def test_all_present_is_as_nothing_said() -> None:
    losses = some_losses(1)[0][0] + 0.5
    strategy = make("gls", [{}] * 3)
    everything = weigh(strategy, losses, torch.ones_like(losses, dtype=torch.bool))
    torch.testing.assert_close(weigh(strategy, losses), everything, rtol=1e-5, atol=0)


def directions(factors: Tensor) -> list[Tensor]:
    """Unit directions of GLS, the closed form and IMTL-L at its optimum, with losses and gradients times factors."""
    stream = torch.Generator().manual_seed(0)
    losses = torch.rand(2, 3, generator=stream) + 0.2
    gradients = torch.randn(2, 3, 8, generator=stream)
    found = []
    alike = [(0.5, 0.5)] * 3  # of one kind, so that c is the same for all
    for name, setting in (("gls", {}), ("uncertainty", {"solve": "closed_form"}), ("imtl_l", {})):
        strategy = make(name, [setting] * 2, noise=alike)
        weights = weigh(strategy, losses * factors)
        direction = strategy.direction(weights, gradients * factors.unsqueeze(1))
        found.append(direction / direction.norm(dim=1, keepdim=True))
    return found


def test_gls_the_closed_form_and_imtl_l_at_its_optimum_have_one_direction() -> None:
    gls, solved, imtl_l = directions(torch.ones(3))
    torch.testing.assert_close(solved, gls, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(imtl_l, gls, rtol=1e-5, atol=1e-6)


def test_scaling_one_task_leaves_the_direction() -> None:
    for before, after in zip(directions(torch.ones(3)), directions(torch.tensor([1.0, 1e4, 1e-3])), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-6)


def test_the_closed_form_differs_by_the_likelihoods() -> None:
    losses = torch.tensor([[2.0, 0.5, 4.0]])
    gls, solved = make("gls", [{}]), make("uncertainty", [{"solve": "closed_form"}], noise=NOISE)
    ratio = weigh(solved, losses) / weigh(gls, losses)
    torch.testing.assert_close(ratio / ratio[0, 0], torch.tensor([[1.0, 1.0, 2.0]]))


def test_a_loss_of_0_counts_as_the_floor() -> None:
    weights = weigh(make("gls", [{}]), torch.tensor([[0.0, 1.0, 1.0]]))
    mean = FLOOR ** (1 / 3)
    expected = torch.tensor([[mean / 3 / FLOOR, mean / 3, mean / 3]])
    torch.testing.assert_close(weights, expected, rtol=1e-4, atol=0)
