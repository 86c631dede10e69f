"""The plain sum, and weights given by hand."""

from typing import Any

import torch
from playing import make, some_losses, weigh
from support import make_config, make_stack
from torch import Tensor

from mtlrun.engine.stack import Stack


def test_sum_and_fixed_weights() -> None:
    losses, present = some_losses(1)
    assert torch.equal(weigh(make("sum", [{}]), losses[0, :1]), torch.ones(1, 3))
    settings = [{"weights": {"a": 0.0, "b": 2.5}}, {}, {"weights": {"c": 1e-4}}]
    fixed = weigh(make("fixed", settings), losses[0], present[0])
    assert torch.equal(fixed, torch.tensor([[0.0, 2.5, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1e-4]]))


def first_gradients(**loss: Any) -> tuple[Stack, dict[str, Tensor]]:
    """The gradients of the first step, by the name of the parameter."""
    stack = make_stack([make_config(loss=loss)])
    stack.step(next(iter(stack.train.epoch(1))), 0)
    flat = stack.step.flat
    return stack, dict(zip(flat.names, flat.gradients.split(flat.sizes, 1), strict=True))


def test_a_weight_of_0_is_exactly_no_gradient() -> None:
    stack, gradients = first_gradients(name="fixed", weights={"b": 0})
    _, whole = first_gradients(name="sum")
    _, others = first_gradients(name="fixed", weights={"a": 0, "c": 0})
    heads = {n: tasks for n, (tasks, _) in stack.network.head_axes().items()}
    for name, gradient in gradients.items():
        tasks = heads.get(name.removeprefix("network."))
        if tasks == ["b"]:
            assert (gradient == 0).all()
        elif tasks is not None:
            assert torch.equal(gradient, whole[name]) and (gradient != 0).any()
        else:  # the trunk gets the rest
            torch.testing.assert_close(gradient, whole[name] - others[name], rtol=1e-4, atol=1e-6)
            assert not torch.equal(gradient, whole[name])
