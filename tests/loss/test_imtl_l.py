"""IMTL-L: torchjd's figures, its start and its optimum."""

import math

import pytest
import torch
from playing import make, some_losses, weigh
from torchjd.scalarization import IMTLL

from mtlrun.loss.imtl_l import ImtlL


def test_weights_and_gradients_are_those_of_torchjd() -> None:
    losses, _ = some_losses(5)
    losses = losses + 0.1
    strategy = make("imtl_l", [{"init": 0.0}, {"init": 0.7}, {"init": -2.0}])
    assert isinstance(strategy, ImtlL)
    oracles = [IMTLL(3).double() for _ in range(3)]
    for r, init in enumerate((0.0, 0.7, -2.0)):
        oracles[r].log_scale.data.fill_(init)
    for step in losses:
        weights = weigh(strategy, step)
        (gradient,) = strategy.gradients(step, weights, None)
        for r, oracle in enumerate(oracles):
            known = step[r].double().requires_grad_()
            expected = torch.autograd.grad(oracle(known), [known, oracle.log_scale])
            torch.testing.assert_close(weights[r].double(), expected[0], rtol=1e-5, atol=0)
            torch.testing.assert_close(gradient[r].double(), expected[1], rtol=1e-5, atol=1e-6)
            oracle.log_scale.data -= 0.01 * expected[1].clamp(-1, 1)
        strategy.s.data -= 0.01 * gradient.clamp(-1, 1)


def test_it_starts_at_the_optimum_of_the_first_batch_with_labels() -> None:
    strategy = make("imtl_l", [{}])
    assert isinstance(strategy, ImtlL)
    losses = torch.tensor([[4e6, 0.0, 0.02]])
    present = torch.tensor([[True, False, True]])
    weights = weigh(strategy, losses, present)
    assert strategy.s[0].tolist() == pytest.approx([-math.log(4e6), 0.0, -math.log(0.02)])
    (gradient,) = strategy.gradients(losses, weights, present)
    assert gradient.abs().max() < 1e-5 and gradient[0, 1] == 0
    weigh(strategy, torch.tensor([[1.0, 3.0, 1.0]]))
    assert strategy.s[0].tolist() == pytest.approx([-math.log(4e6), -math.log(3.0), -math.log(0.02)])


def test_it_is_uncertainty_with_one_likelihood_and_the_other_sign() -> None:
    losses, present = some_losses(1)
    one = make("imtl_l", [{"init": 0.4}] * 3)
    other = make("uncertainty", [{"init": -0.4}] * 3, noise=[(1.0, 1.0)] * 3)
    weights = weigh(one, losses[0], present[0])
    torch.testing.assert_close(weights, weigh(other, losses[0], present[0]))
    (gradient,) = one.gradients(losses[0], weights, present[0])
    (mirrored,) = other.gradients(losses[0], weights, present[0])
    torch.testing.assert_close(gradient, -mirrored)
