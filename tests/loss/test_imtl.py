"""Impartial multi-task learning: scaled losses for the heads, impartial gradients of these for what tasks share."""

import math

import pytest
import torch
from playing import make, some_gradients, some_losses
from support import make_config, make_stack
from torch import Tensor

from mtlrun.loss import StepInputs
from mtlrun.loss.imtl import Imtl


def imtl(*settings: dict) -> Imtl:
    strategy = make("imtl", list(settings) or [{}])
    assert isinstance(strategy, Imtl)
    return strategy


def reference(gradients: Tensor, scales: Tensor) -> Tensor:
    """Weights α_t e^s_t of one run in float64, α by the paper's inverse on the gradients of the scaled losses."""
    scaled = gradients.double() * scales.double().unsqueeze(1)
    gramian = scaled @ scaled.T
    alpha = torch.linalg.solve(gramian, gramian.diagonal().sqrt())
    return alpha / alpha.sum().abs() * scales.double()


def test_weights_are_those_of_impartial_gradients_of_the_scaled_losses() -> None:
    strategy = imtl({"init": 0.7}, {"init": 0.0})
    strategy.s.data += torch.tensor([[0.0, 1.0, -2.0], [3.0, 0.0, -0.5]])
    scales = strategy.s.detach().exp()
    for step, gradients in enumerate(some_gradients(10, 2)):
        weights = strategy.weights(StepInputs(torch.ones(2, 3), None, step, gradients))
        for r in range(2):
            torch.testing.assert_close(weights[r].double(), reference(gradients[r], scales[r]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(strategy.head_weights(weights, None), scales, rtol=1e-6, atol=0)


def test_s_descends_along_the_scaled_losses() -> None:
    """Its gradient is that of Σ e^s L − s."""
    losses, present = some_losses(1)
    strategy = imtl({"init": 0.3}, {"init": -2.0}, {"init": 1.5})
    s = strategy.s.detach().double().requires_grad_()
    (expected,) = torch.autograd.grad(((s.exp() * losses[0] - s) * present[0]).sum(), s)
    (found,) = strategy.gradients(losses[0], torch.ones(3, 3), present[0])
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)


def test_s_starts_at_its_optimum_for_the_first_loss_of_a_task() -> None:
    strategy = imtl({}, {"init": -1.5})
    losses = torch.tensor([[4e6, 0.0, 0.02], [1.0, 1.0, 1.0]])
    present = torch.tensor([[True, False, True], [True, True, True]])
    gradients = some_gradients(1, 2)[0] * present.unsqueeze(2)
    strategy.weights(StepInputs(losses, present, 0, gradients))
    assert strategy.s[0].tolist() == pytest.approx([-math.log(4e6), 0.0, -math.log(0.02)])
    assert strategy.s[1].tolist() == [-1.5] * 3
    assert strategy.started.tolist() == [[True, False, True], [True, True, True]]
    assert (strategy.gradients(losses, losses, present)[0][0]).tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    strategy.weights(StepInputs(torch.full((2, 3), 0.5), None, 1, some_gradients(1, 2)[0]))
    assert strategy.s[0].tolist() == pytest.approx([-math.log(4e6), math.log(2), -math.log(0.02)])


@pytest.mark.parametrize("heads", ["weighted", "own"])
@pytest.mark.parametrize("graph", [{}, {"receives": {"b": {"a": "pass"}}}], ids=["no edge", "an edge"])
def test_in_the_step_heads_get_their_scaled_losses_and_the_trunk_its_weights(heads: str, graph: dict) -> None:
    """With an edge through which b learns, the head of a is shared, and gets what the trunk gets."""
    config = make_config(loss={"name": "imtl", "init": -1.5, "heads": heads}, graph=graph)
    stack, twin = make_stack([config]), make_stack([config])
    batch = next(iter(stack.train.epoch(1)))
    assert isinstance(stack.step.strategy, Imtl)
    stack.step.strategy.s.data += torch.tensor([[1.0, 0.0, -0.5]])
    scales = stack.step.strategy.s.detach().exp() if heads == "weighted" else torch.ones(1, 3)
    _, weights = stack.step(batch, 0)
    losses, parameters = twin.network.losses(batch.x, batch.targets), twin.step.flat.network_parameters
    parts = [torch.autograd.grad((losses * w).sum(), parameters, retain_graph=True) for w in (weights, scales)]
    everywhere = [torch.cat([g.flatten(1) for g in part], 1) for part in parts]
    groups = {"trunk": 1.0, "a": float(bool(graph)), "b": 0.0, "c": 0.0}
    shared = twin.step.flat.spread([groups], [0.0])[:, : twin.step.flat.network_size] > 0
    expected = torch.where(shared, *everywhere)  # of the heads that nobody learns through, only their own loss knows
    found = stack.step.flat.gradients[:, : stack.step.flat.network_size]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
