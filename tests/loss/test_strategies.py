"""Every loss strategy through the same tests; each one's own formula is tested in a file of its name."""

from typing import Any

import pytest
import torch
from playing import EPOCH, NOISE, TASKS, make, play, some_gradients, some_losses
from support import make_config, make_stack, train_steps
from torch import Tensor

from mtlrun.config.schema.loss import LOSS_SETTINGS
from mtlrun.engine.stack import Stack
from mtlrun.loss import STRATEGIES, GramianStrategy
from mtlrun.util.errors import RequestError

# Settings of three runs of each strategy.
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "sum": [{}, {}, {"scale": "sum_to_T"}],
    "fixed": [{"weights": {"a": 0.0, "b": 2.5}}, {}, {"weights": {"c": 1e-4}}],
    "uncertainty": [{}, {"init": 0.0, "lr": 0.1}, {"solve": "closed_form"}],
    "dwa": [{}, {"temperature": 0.5}, {"scale": "sum_to_T"}],
    "rlw": [{}, {"scale": "sum_to_T"}, {}],
    "gls": [{}, {"scale": "sum_to_T"}, {}],
    "imtl_l": [{}, {"init": 0.0, "lr": 0.1}, {"init": -1.5}],
    "stch": [{"warmup": 1}, {"nadir": "none", "mu": 0.5}, {"warmup": 2, "mu": 0.3}],
    "famo": [{}, {"lr": 0.1, "gamma": 0.0}, {"lower_bound": 0.001}],
    "pcgrad": [{}, {}, {}],
    "gradvac": [{}, {"beta": 0.5}, {"beta": 0.0, "scale": "sum_to_T"}],
    "imtl_g": [{}, {}, {}],
    "imtl": [{}, {"init": 0.0, "lr": 0.1}, {"init": -1.5}],
    "aligned_mtl": [{}, {}, {}],
    "config": [{}, {}, {}],
    "mgda": [{}, {"normalize": "l2"}, {"normalize": "loss+"}],
    "cagrad": [{}, {"c": 0.0}, {"c": 0.9}],
    "nash_mtl": [{}, {}, {}],
    "fairgrad": [{}, {"alpha": 1.0}, {"alpha": 5.0}],
    "upgrad": [{}, {}, {}],
    "dualproj": [{}, {}, {}],
    "gradnorm": [{}, {"alpha": 0.0, "lr": 0.1}, {"alpha": 0.12}],
    "graddrop": [{}, {"leak": 0.3}, {}],
    "excess_mtl": [{}, {"lr": 0.5, "warmup": 0}, {"warmup": 1}],
    "db_mtl": [{}, {"beta": 0.0}, {"beta": 0.5, "sigma": 0.5}],
}
DRAWS = {"rlw", "pcgrad", "gradvac"}  # random numbers by the place of a task: another order of tasks has others
SIGNED = {"imtl_g", "imtl", "aligned_mtl", "config"}  # a weight may be below 0
NO_WEIGHTS = {"graddrop", "db_mtl"}  # they combine gradients themselves; what they return as weights is for heads alone
GRADIENTS = [name for name, kind in STRATEGIES.items() if kind.needs_gradients]
GRAMIANS = [name for name, kind in STRATEGIES.items() if issubclass(kind, GramianStrategy)]


def everything(
    name: str, settings: list[dict[str, Any]], runs: slice = slice(None), complete: bool = False, steps: int = 3 * EPOCH
) -> tuple[Tensor, ...]:
    """Weights, directions and last parameters of some of the runs in a stack of their own."""
    losses, present = some_losses(steps)
    if complete:
        losses, present = losses + 0.5, torch.ones_like(present)
    seeds = list(range(3))[runs]
    strategy = make(name, settings[runs], seeds=seeds)
    weights, directions, parameters = play(strategy, losses[:, runs], present[:, runs], some_gradients(steps)[:, runs])
    return weights, directions, *parameters, *(v.clone() for v in strategy.state().values())


def by_names(stack: Stack) -> dict[str, Tensor]:
    """Parameters, moments and the strategy's state of a stack, `[R, …]` each."""
    step = stack.step
    return {"values": step.flat.values} | step.optimizer.state | step.strategy.state()


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_is_tested(name: str) -> None:
    assert len(SETTINGS[name]) == 3


@pytest.mark.parametrize("complete", [True, False], ids=["complete", "missing labels"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_weights_are_finite_numbers_for_every_run_and_task(name: str, complete: bool) -> None:
    weights, directions, *others = everything(name, SETTINGS[name], complete=complete)
    assert weights.shape == (3 * EPOCH, 3, 3) and directions.shape == (3 * EPOCH, 3, 7)
    assert weights.dtype == directions.dtype == torch.float32
    assert weights.isfinite().all() and directions.isfinite().all()
    assert all(v.isfinite().all() for v in others)
    assert name in SIGNED or (weights >= 0).all()


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_stack_weighs_as_its_members_alone(name: str) -> None:
    together = everything(name, SETTINGS[name])
    for r in range(3):
        alone = everything(name, SETTINGS[name], slice(r, r + 1))
        for i, (whole, own) in enumerate(zip(together, alone, strict=True)):
            mine = whole[:, r : r + 1] if i < 2 else whole[r : r + 1]
            torch.testing.assert_close(mine, own, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in STRATEGIES if n not in DRAWS])
def test_permuting_the_tasks_permutes_the_weights(name: str) -> None:
    order = [2, 0, 1]
    losses, present = some_losses(10)
    gradients = some_gradients(10)
    other = make(name, SETTINGS[name], tasks=[TASKS[i] for i in order], noise=[NOISE[i] for i in order])
    weights, directions, _ = play(make(name, SETTINGS[name]), losses, present, gradients)
    permuted, same, _ = play(other, losses[..., order], present[..., order], gradients[:, :, order])
    torch.testing.assert_close(permuted, weights[..., order], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(same, directions, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [n for n in STRATEGIES if n not in NO_WEIGHTS])
def test_weights_sum_to_the_number_of_tasks_that_are_present(name: str) -> None:
    losses, present = some_losses(10)
    weights, _, _ = play(
        make(name, [s | {"scale": "sum_to_T"} for s in SETTINGS[name]]), losses, present, some_gradients(10)
    )
    counts = present.sum(2)
    assert counts.min() == 0 and counts.max() == 3
    torch.testing.assert_close((weights.abs() * present).sum(2), counts.float(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", GRADIENTS)
def test_a_run_whose_gradients_are_not_finite_fails_by_itself(name: str) -> None:
    losses, gradients = torch.ones(2, 3, 3), some_gradients(2)
    broken = gradients.clone()
    broken[0, 1, 2, 3] = torch.nan
    whole, _, _ = play(make(name, SETTINGS[name]), losses, None, gradients)
    weights, directions, _ = play(make(name, SETTINGS[name]), losses, None, broken)
    assert directions[0, 1].isnan().any()
    torch.testing.assert_close(weights[:, [0, 2]], whole[:, [0, 2]], rtol=0, atol=0)


@pytest.mark.parametrize("name", [n for n in GRAMIANS if n not in DRAWS])
def test_a_task_without_gradient_has_no_part(name: str) -> None:
    """Weights of the others are those of a stack that has never heard of it."""
    gradients = some_gradients(6)
    gradients[:, :, 1] = 0
    losses, _ = some_losses(6)
    losses = losses + 0.5
    weights, directions, _ = play(make(name, SETTINGS[name]), losses, None, gradients)
    kept = [0, 2]
    fewer = make(name, SETTINGS[name], tasks=["a", "c"], noise=[NOISE[0], NOISE[2]])
    without, same, _ = play(fewer, losses[..., kept], None, gradients[:, :, kept])
    torch.testing.assert_close(weights[..., kept], without, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(directions, same, rtol=1e-5, atol=1e-6)
    assert (weights[..., 1] == 0).all()


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_goes_on_from_its_checkpoint(name: str) -> None:
    losses, present = some_losses(30)
    gradients = some_gradients(30)
    whole, ways, _ = play(make(name, SETTINGS[name]), losses, present, gradients)
    first, again = make(name, SETTINGS[name]), make(name, SETTINGS[name])
    play(first, losses[:13], present[:13], gradients[:13])
    for known, own in zip(first.parameters(), again.parameters(), strict=True):
        own.data.copy_(known)
    for key, value in again.state().items():
        value.copy_(first.state()[key])
    weights, directions, _ = play(again, losses[13:], present[13:], gradients[13:], 13)
    assert torch.equal(weights, whole[13:]) and torch.equal(directions, ways[13:])


# ---------------------------------------------------------------- in the step


@pytest.mark.parametrize("heads", ["own", "weighted"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_the_head_of_a_task_that_only_reads_the_trunk_learns(name: str, heads: str) -> None:
    """Its gradient in what is shared is 0. Where this would be a weight of 0 for the head, the request is refused."""
    if ("heads", heads) in LOSS_SETTINGS[name].refuses:
        return
    tasks = {t: {"type": "regression"} for t in TASKS}
    settings = {"loss": {"name": name, "heads": heads}, "graph": {"receives": {"b": {"trunk": "stop"}}}}
    if heads == "weighted" and name in {*GRAMIANS, "excess_mtl"} - {"imtl"}:
        with pytest.raises(RequestError, match=rf"^loss.heads: weighted, and loss={name} gives no weight to b, whose"):
            make_config(tasks, **settings)
        settings["graph"]["receives"]["b"]["a"] = "pass"  # what a learns, b shares
        make_config(tasks, **settings)
        return
    stack = make_stack([make_config(tasks, **settings)])
    before = [p.detach().clone() for p in stack.network.task_parameters("b")]
    train_steps(stack, 4)
    assert all((p != own).any() for p, own in zip(stack.network.task_parameters("b"), before, strict=True))


@pytest.mark.parametrize("name", [n for n in STRATEGIES if n not in GRADIENTS])
def test_weights_are_constants_for_the_network(name: str) -> None:
    """The step's gradient is that of Σ w L with the returned numbers w."""
    configs = [make_config(loss={"name": name} | s, seed=i) for i, s in enumerate(SETTINGS[name])]
    stack, twin = make_stack(configs, missing=0.3), make_stack(configs, missing=0.3)
    batch = next(iter(stack.train.epoch(1)))
    _, weights = stack.step(batch, 0)
    assert not weights.requires_grad
    total = (twin.network.losses(batch.x, batch.targets) * weights).sum()
    expected = torch.cat([g.flatten(1) for g in torch.autograd.grad(total, list(twin.network.parameters()))], 1)
    found = stack.step.flat.gradients[:, : stack.step.flat.network_size]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("heads", ["own", "weighted"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_given_weight_multiplies_what_the_strategy_makes_of_a_loss(name: str, heads: str) -> None:
    """loss.weights.b=0.3 under every strategy, in the first step, where nothing else can differ yet."""
    if ("heads", heads) in LOSS_SETTINGS[name].refuses or (name, heads) == (
        "fixed",
        "own",
    ):  # whose weights are the strategy
        return
    stacks = []
    for factor in (1.0, 0.3):
        settings = [{"name": name, "heads": heads} | s for s in SETTINGS[name]]
        given = [s | {"weights": {**s.get("weights", {}), "b": factor}} for s in settings]
        stack = make_stack([make_config(loss=s, seed=i) for i, s in enumerate(given)], missing=0.2)
        stacks.append((stack, stack.step(next(iter(stack.train.epoch(1))), 0)[1]))
    (plain, weights), (given, found) = stacks
    at = plain.network.tasks.index("b")
    factors = torch.ones(3, 3)
    factors[:, at] = 0.3
    if name != "fixed" or all(s.get("scale", "paper") == "paper" for s in SETTINGS[name]):
        torch.testing.assert_close(found, weights * factors, rtol=1e-5, atol=0)
    flat = plain.step.flat
    marks = [{"trunk": 0.0} | {t: float(t == "b") for t in plain.network.tasks}] * 3
    of_b = flat.spread(marks, [0.0] * 3) > 0
    assert of_b.any() and flat.gradients[of_b].abs().max() > 0
    torch.testing.assert_close(given.step.flat.gradients[of_b], 0.3 * flat.gradients[of_b], rtol=1e-5, atol=1e-9)
    assert (given.step.flat.gradients != flat.gradients)[:, : flat.shared_size].any()


def test_without_weights_a_given_one_multiplies_the_gradient() -> None:
    """A weight of 0 takes a task out of the direction of strategies that combine gradients themselves."""
    losses, gradients = torch.ones(1, 3, 3), some_gradients(1)

    def direction(name: str, weight: float, gradients: Tensor) -> Tensor:
        strategy = make(name, [s | {"weights": {"b": weight}} for s in SETTINGS[name]])
        return play(strategy, losses, None, gradients)[1]

    scaled = gradients * torch.tensor([1.0, 0.25, 1.0]).unsqueeze(1)
    assert (direction("graddrop", 1.0, gradients) != direction("graddrop", 0.0, gradients)).any()
    for weight, other in ((0.25, scaled), (0.0, gradients * torch.tensor([1.0, 0.0, 1.0]).unsqueeze(1))):
        torch.testing.assert_close(direction("graddrop", weight, gradients), direction("graddrop", 1.0, other))
    whole, half, none = (direction("db_mtl", weight, gradients) for weight in (1.0, 0.5, 0.0))
    assert (whole != none).any()
    torch.testing.assert_close(half, (whole + none) / 2)  # its factors do not see the weight


IN_FEATURES = [name for name in ("pcgrad", "mgda", "graddrop", "excess_mtl", "db_mtl") if name in GRADIENTS]
PLACES = [
    *((name, "parameters") for name in STRATEGIES),
    *((name, "representation") for name in IN_FEATURES if ("at", "representation") not in LOSS_SETTINGS[name].refuses),
]


@pytest.mark.parametrize(("name", "at"), PLACES)
def test_a_stack_trains_as_its_members_alone(name: str, at: str) -> None:
    where = {"at": at} if name in GRADIENTS else {}
    configs = [make_config(loss={"name": name} | where | s, seed=i) for i, s in enumerate(SETTINGS[name])]
    together = make_stack(configs, missing=0.2)
    train_steps(together, 20)
    assert together.step.flat.values.isfinite().all()
    for r, config in enumerate(configs):
        alone = make_stack([config], missing=0.2)
        before = alone.step.flat.values.clone()
        train_steps(alone, 20)
        assert not torch.equal(alone.step.flat.values, before)
        for key, value in by_names(alone).items():
            whole = by_names(together)[key]
            torch.testing.assert_close(whole[r : r + 1] if whole.dim() else whole, value, rtol=1e-4, atol=1e-5)
