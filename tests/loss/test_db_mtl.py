"""DB-MTL against a float64 reference, with autograd's logarithm, and its memory of gradients."""

from typing import Any

import numpy as np
import pytest
import torch
from playing import NOISE, make, play, some_gradients, some_losses
from support import make_config, make_stack, train_steps

from mtlrun.loss.db_mtl import DbMtl
from mtlrun.util.errors import RequestError


def reference(losses: np.ndarray, gradients: np.ndarray, beta: float, sigma: float) -> np.ndarray:
    """Directions `[steps, D]` of algorithm 1 in float64; losses `[steps, T]`, gradients `[steps, T, D]`."""
    average, found = np.zeros(gradients.shape[1:]), []
    for k, (loss, g) in enumerate(zip(losses, gradients, strict=True), 1):
        decay = beta / k**sigma
        average = decay * average + (1 - decay) * g / (loss + 1e-8)[:, None]
        norms = np.linalg.norm(average, axis=1)
        found.append(norms.max() * (average / norms[:, None]).sum(0))
    return np.stack(found)


@pytest.mark.parametrize("beta, sigma", [(0.0, 0.0), (0.9, 0.0), (0.9, 0.5), (0.3, 1.0)])
def test_directions_are_those_of_the_algorithm(beta: float, sigma: float) -> None:
    losses, gradients = some_losses(40, runs=2)[0] + 0.5, some_gradients(40, runs=2)
    weights, ways, _ = play(make("db_mtl", [{"beta": beta, "sigma": sigma}] * 2), losses, None, gradients)
    torch.testing.assert_close(weights, 1 / losses)  # of the heads
    for r in range(2):
        expected = reference(losses[:, r].double().numpy(), gradients[:, r].double().numpy(), beta, sigma)
        scale = np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(ways[:, r].numpy() / scale, expected / scale, rtol=0, atol=1e-5)


def test_every_task_pulls_as_hard_as_the_hardest() -> None:
    losses, gradients = some_losses(1, runs=1)[0] + 0.5, some_gradients(1, runs=1)
    _, ways, _ = play(make("db_mtl", [{"beta": 0.0}]), losses, None, gradients)
    unit = torch.nn.functional.normalize(gradients[0, 0], dim=1)
    longest = (gradients[0, 0].norm(dim=1) / losses[0, 0]).max()
    torch.testing.assert_close(ways[0, 0], longest * unit.sum(0), rtol=1e-5, atol=1e-5)


def test_the_direction_does_not_depend_on_the_scale_of_a_loss() -> None:
    losses, gradients = some_losses(20, runs=1)[0] + 0.5, some_gradients(20, runs=1)
    factors = torch.tensor([1e-3, 1.0, 1e4])
    scaled = play(make("db_mtl", [{}]), losses * factors, None, gradients * factors.unsqueeze(1))[1]
    torch.testing.assert_close(scaled, play(make("db_mtl", [{}]), losses, None, gradients)[1], rtol=1e-3, atol=1e-4)


def test_a_task_without_a_label_has_no_part_and_keeps_its_average() -> None:
    losses, gradients = some_losses(20, runs=1)[0] + 0.5, some_gradients(20, runs=1)
    present = torch.ones(20, 1, 3, dtype=torch.bool)
    present[10:, :, 1] = False
    settings: list[dict[str, Any]] = [{"beta": 0.5, "sigma": 0.5}]
    strategy, until = make("db_mtl", settings), make("db_mtl", settings)
    _, ways, _ = play(strategy, losses * present, present, gradients)
    play(until, losses[:10], None, gradients[:10])
    for name in ("DbMtl.average", "DbMtl.count"):
        assert torch.equal(strategy.state()[name][:, 1], until.state()[name][:, 1])
    fewer = make("db_mtl", settings, tasks=["a", "c"], noise=[NOISE[0], NOISE[2]])
    kept = [0, 2]
    _, expected, _ = play(fewer, losses[..., kept], None, gradients[:, :, kept])
    torch.testing.assert_close(ways[10:], expected[10:])


def test_heads_descend_on_the_logarithm_of_the_loss() -> None:
    stack, twin = (make_stack([make_config(loss={"name": name})]) for name in ("db_mtl", "sum"))
    batch = next(iter(stack.train.epoch(1)))
    stack.step(batch, 0)
    total = twin.network.losses(batch.x, batch.targets).log().sum()
    heads = list(twin.network.heads.parameters())
    expected = torch.cat([g.flatten(1) for g in torch.autograd.grad(total, heads)], 1)
    flat = stack.step.flat
    torch.testing.assert_close(flat.gradients[:, flat.shared_size : flat.network_size], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["db_mtl", "excess_mtl"])
def test_gradients_are_kept_of_all_that_may_be_shared(name: str) -> None:
    """In a stack where an edge passes gradients in one run and not in the other, each trains as alone."""
    tasks = {"a": {"type": "regression"}, "b": {"type": "regression"}}
    configs = [
        make_config(
            tasks,
            loss={"name": name} | ({"warmup": 0, "lr": 0.5} if name == "excess_mtl" else {}),
            seed=i,
            graph={"receives": {"b": {"a": gradient}}},
        )
        for i, gradient in enumerate(("pass", "stop"))
    ]
    together = make_stack(configs)
    train_steps(together, 10)
    kept = "average" if name == "db_mtl" else "squares"
    for r, config in enumerate(configs):
        alone = make_stack([config])
        train_steps(alone, 10)
        torch.testing.assert_close(together.step.flat.values[r : r + 1], alone.step.flat.values, rtol=1e-4, atol=1e-5)
        whole, own = (s.step.strategy.get_buffer(kept) for s in (together, alone))
        torch.testing.assert_close(whole[r : r + 1], own, rtol=1e-3, atol=1e-5)
    assert isinstance(together.step.strategy, DbMtl) == (name == "db_mtl")


@pytest.mark.parametrize("key, value", [("at", "representation"), ("scale", "sum_to_T")])
def test_what_has_no_meaning_is_refused(key: str, value: str) -> None:
    with pytest.raises(RequestError, match=rf"loss\.{key}: {value} has no meaning with loss=db_mtl"):
        make_config(loss={"name": "db_mtl", key: value})
