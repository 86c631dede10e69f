"""Parts of the network over the run axis: initial values, linear layers, gradient scales, dropout."""

import math

import pytest
import torch

from mtlrun.model.layers import ACTIVATIONS, GradientScale, Linear, dropout_mask, generator, ramp, uniform


def test_streams_depend_on_seed_purpose_and_parts_alone() -> None:
    keys = [(0, "init", "a"), (1, "init", "a"), (0, "order", "a"), (0, "init", "b"), (0, "init", "a", 1)]
    draws = [torch.rand(4, generator=generator(*key)) for key in keys]
    assert all(not torch.equal(draws[i], draws[j]) for i in range(5) for j in range(i))
    torch.rand(7)
    assert torch.equal(torch.rand(4, generator=generator(*keys[0])), draws[0])


def test_initial_values_follow_the_rule_of_torch_linear() -> None:
    values = uniform([0, 1, 2], "x", (400, 50), fan_in=25)
    assert values.shape == (3, 400, 50)
    assert values.abs().max().item() == pytest.approx(0.2, rel=1e-3) and values.abs().max() <= 0.2
    assert values.mean().item() == pytest.approx(0, abs=2e-3)
    assert values.std().item() == pytest.approx(0.2 / math.sqrt(3), rel=1e-2)
    torch_layer = torch.nn.Linear(25, 2000)
    assert torch_layer.weight.abs().max().item() == pytest.approx(0.2, rel=1e-3)
    assert torch_layer.bias.abs().max().item() == pytest.approx(0.2, rel=1e-2)


def test_initial_values_of_a_run_do_not_depend_on_the_stack() -> None:
    assert torch.equal(uniform([5, 7], "x", (3, 2), 3)[1], uniform([7], "x", (3, 2), 3)[0])


def test_linear_equals_torch() -> None:
    layer = Linear([0, 1, 2], "x", 5, 4).double()
    x = torch.randn(3, 6, 5, dtype=torch.float64)
    for r in range(3):
        theirs = torch.nn.functional.linear(x[r], layer.weight[r].T, layer.bias[r, 0])
        torch.testing.assert_close(layer(x)[r], theirs, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_those_of_torch(name: str) -> None:
    modules = {"relu": "ReLU", "tanh": "Tanh", "sigmoid": "Sigmoid", "gelu": "GELU", "silu": "SiLU"}
    x = torch.linspace(-4, 4, 41, dtype=torch.float64)
    torch.testing.assert_close(ACTIVATIONS[name](x), getattr(torch.nn, modules[name])()(x), rtol=0, atol=1e-15)


def scaled_gradient(scale: GradientScale, runs: int) -> torch.Tensor:
    x = torch.arange(1.0, 1 + runs * 6).view(runs, 2, 3).requires_grad_()
    y = scale(x)
    assert torch.equal(y, x)
    if not y.requires_grad:
        return torch.zeros_like(x)
    (gradient,) = torch.autograd.grad((y * y.detach()).sum(), x)
    return gradient / x.detach()


@pytest.mark.parametrize("factor", [0.0, 1.0, 0.5, -1.0, -2.5])
def test_gradient_scale_of_one_factor(factor: float) -> None:
    assert torch.equal(scaled_gradient(GradientScale([factor] * 2, [False] * 2), 2), torch.full((2, 2, 3), factor))


def test_gradient_scale_of_each_run() -> None:
    factors = [0.0, 1.0, -0.5]
    gradient = scaled_gradient(GradientScale(factors, [False] * 3), 3)
    assert torch.equal(gradient, torch.tensor(factors).view(3, 1, 1).expand(3, 2, 3))


def test_ramp() -> None:
    assert ramp(0.0) == 0.0
    assert ramp(0.1) == pytest.approx(math.tanh(0.5))  # 2/(1 + e^(−2z)) − 1 = tanh z
    assert ramp(1.0) == pytest.approx(0.9999092, abs=1e-7)


def test_ramped_gradient_scale() -> None:
    scale = GradientScale([-2.0, -2.0], [True, False])
    assert torch.equal(scaled_gradient(scale, 2)[0], torch.zeros(2, 3))
    for progress in (0.3, 1.0):
        scale.advance(progress)
        gradient = scaled_gradient(scale, 2)
        torch.testing.assert_close(gradient[0], torch.full((2, 3), -2 * math.tanh(5 * progress)))
        assert torch.equal(gradient[1], torch.full((2, 3), -2.0))


def test_dropout_masks() -> None:
    masks = dropout_mask([0, 1], 3, "trunk.layer1", (200, 50), 0.2)
    assert masks.shape == (2, 200, 50)
    assert set(masks.unique().tolist()) == {0.0, 1.25}
    assert masks.mean().item() == pytest.approx(1.0, abs=0.02)
    assert torch.equal(masks[1], dropout_mask([1], 3, "trunk.layer1", (200, 50), 0.2)[0])
    for other in (dropout_mask([0], 4, "trunk.layer1", (200, 50), 0.2), dropout_mask([0], 3, "x", (200, 50), 0.2)):
        assert not torch.equal(masks[0], other[0])
