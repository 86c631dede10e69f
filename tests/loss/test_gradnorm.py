"""GradNorm: its gradient against autograd's and what it settles at."""

import pytest
import torch
from playing import SIZE, make, play, some_gradients, some_losses
from torch import Tensor

from mtlrun.loss import StepInputs
from mtlrun.loss.gradnorm import SMALLEST


def reference(w: Tensor, gradients: Tensor, losses: Tensor, first: Tensor, alpha: float) -> Tensor:
    """d L_grad / dw of one run by automatic differentiation of equations 1 and 2, in float64."""
    w = w.double().requires_grad_()
    lengths = torch.stack([torch.linalg.vector_norm(w[t] * g.double()) for t, g in enumerate(gradients)])
    ratio = losses.double() / first.double()
    target = (lengths.mean() * (ratio / ratio.mean()) ** alpha).detach()
    (gradient,) = torch.autograd.grad((lengths - target).abs().sum(), w)
    return gradient


@pytest.mark.parametrize("alpha", [0.0, 0.12, 1.5])
def test_the_gradient_is_that_of_the_published_loss(alpha: float) -> None:
    strategy = make("gradnorm", [{"alpha": alpha}])
    losses, gradients = some_losses(2, runs=1)[0] + 0.5, some_gradients(2, runs=1)
    strategy.weights(StepInputs(losses[0], None, 0, gradients[0]))
    strategy.w.data.copy_(torch.tensor([[0.3, 2.0, 0.7]]))
    published = strategy.weights(StepInputs(losses[1], None, 1, gradients[1]))
    assert published.tolist() == [pytest.approx([0.3, 2.0, 0.7])]
    (found,) = strategy.gradients(losses[1], published, None)
    expected = reference(published[0], gradients[1, 0], losses[1, 0], losses[0, 0], alpha)
    assert len(set(expected.sign().tolist())) == 2
    torch.testing.assert_close(found[0].double(), expected, rtol=1e-5, atol=0)


def test_a_task_without_a_label_has_no_part() -> None:
    present = torch.tensor([[True, False, True]])
    losses, gradients = some_losses(1, runs=1)[0][0] + 0.5, some_gradients(1, runs=1)[0]
    strategy, fewer = make("gradnorm", [{}]), make("gradnorm", [{}], tasks=["a", "c"], noise=[(1.0, 1.0)] * 2)
    masked = losses * present
    published = strategy.weights(StepInputs(masked, present, 0, gradients * present.unsqueeze(2)))
    (found,) = strategy.gradients(masked, published, present)
    without = fewer.weights(StepInputs(losses[:, [0, 2]], None, 0, gradients[:, [0, 2]]))
    (expected,) = fewer.gradients(losses[:, [0, 2]], without, None)
    assert found[0, 1] == 0 and strategy.state()["Gradnorm.first"][0, 1] == 0
    torch.testing.assert_close(found[:, [0, 2]], expected)
    strategy.weights(StepInputs(torch.full((1, 3), 9.0), None, 1, gradients))
    assert strategy.state()["Gradnorm.first"].tolist() == [[losses[0, 0].item(), 9.0, losses[0, 2].item()]]


def test_weights_sum_to_the_number_of_tasks_and_are_never_negative() -> None:
    strategy = make("gradnorm", [{}])
    strategy.w.data.copy_(torch.tensor([[-0.4, 1.0, 3.0]]))
    weights = strategy.weights(StepInputs(torch.ones(1, 3), None, 0, torch.ones(1, 3, SIZE)))
    expected = torch.tensor([[SMALLEST, 1.0, 3.0]]) * 3 / (4 + SMALLEST)
    torch.testing.assert_close(weights, expected)
    assert torch.equal(strategy.w.data, weights)


def test_gradients_become_equally_long() -> None:
    """α = 0 with lengths 1, 2 and 5, and losses that never move: w ∝ 1, ½, ⅕."""
    steps, lengths = 4000, torch.tensor([1.0, 2.0, 5.0])
    gradients = (lengths[:, None] * torch.eye(3, SIZE)).expand(steps, 1, 3, SIZE)
    weights, _, _ = play(make("gradnorm", [{"alpha": 0.0, "lr": 1e-3}]), torch.ones(steps, 1, 3), None, gradients)
    expected = 3 / lengths / (1 / lengths).sum()
    torch.testing.assert_close(weights[-1, 0], expected, rtol=0, atol=0.02)
