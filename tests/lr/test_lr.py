"""Rates of trunk and heads, their schedules, and what rates per head can and cannot do."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from support import make_config, make_stack, train_steps
from torch import nn

from mtlrun.config.schema.loss import SumLossConfig
from mtlrun.config.values import rate
from mtlrun.engine.flat import Flat
from mtlrun.engine.optimizer import FlatOptimizer
from mtlrun.loss import StrategySetup
from mtlrun.loss.sum import Sum
from mtlrun.lr import is_constant, schedule_factors
from mtlrun.util.errors import RequestError


def lr(**settings: Any) -> Any:
    return make_config(lr=settings).lr


# ---------------------------------------------------------------- policies


def test_single_gives_every_group_the_same_rate() -> None:
    assert lr(base=0.003).rates(["a", "b"]) == {"trunk": 0.003, "a": 0.003, "b": 0.003}


def test_per_head_rates_are_numbers_or_multiples_of_the_base() -> None:
    settings = lr(name="per_head", base=0.01, trunk="0.1x", heads={"default": "3x", "b": 0.5, "c": "1e-2"})
    found = settings.rates(["a", "b", "c"])
    assert found == pytest.approx({"trunk": 0.001, "a": 0.03, "b": 0.5, "c": 0.01}, rel=1e-12)
    assert list(found) == ["trunk", "a", "b", "c"]


@pytest.mark.parametrize(
    "value, expected", [("1x", 0.02), (" 0.5x ", 0.01), ("1e-1x", 0.002), ("0x", 0.0), (3, 3.0), ("1e-3", 1e-3)]
)
def test_rates(value: Any, expected: float) -> None:
    assert rate(value, 0.02, "lr.trunk") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("value", ["fast", "x", "1y", True, None, [1], -0.1, "-1x", "nan", "inf"])
def test_wrong_rates_are_refused_with_their_key(value: Any) -> None:
    with pytest.raises(RequestError, match=r"^lr\.heads\.b: found .*\nallowed: "):
        lr(name="per_head", heads={"default": "1x", "b": value})


def test_equal_rates_are_noted() -> None:
    equal = make_config(lr={"name": "per_head", "base": 0.01, "trunk": "1x", "heads": {"default": 0.01}})
    assert equal.notes == ("lr=per_head: every rate is 0.01, the same as lr=single",)
    assert make_config(lr={"name": "per_head", "base": 0.01, "trunk": "0.5x", "heads": {"default": 0.01}}).notes == ()


# ---------------------------------------------------------------- schedules


def factors(total: int = 100, per_epoch: int = 10, **settings: Any) -> np.ndarray:
    return schedule_factors(lr(**{"schedule": "constant"} | settings), np.arange(total), total, per_epoch)


def test_constant() -> None:
    assert factors().tolist() == [1.0] * 100
    constant = {"schedule": "constant"}
    assert is_constant(lr(**constant)) and not is_constant(lr(**constant, warmup=1))
    assert not is_constant(lr(schedule="step")) and not is_constant(lr())


def test_warmup_rises_linearly_and_never_is_0() -> None:
    found = factors(warmup=4)
    assert found[:6].tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert (found[4:] == 1).all()


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_cosine(final: float) -> None:
    found = factors(total=101, schedule="cosine", final=final)
    assert [found[0], found[50], found[100]] == pytest.approx([1.0, (1 + final) / 2, final])
    assert found[25] == pytest.approx(final + (1 - final) * (1 + math.sqrt(0.5)) / 2)
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100, eta_min=final)
    for step in range(101):
        assert found[step] == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        theirs.step()


def test_cosine_begins_where_the_warmup_ends() -> None:
    found = factors(total=31, schedule="cosine", warmup=10)
    assert found[:11].tolist() == pytest.approx([(i + 1) / 11 for i in range(11)])
    assert [found[20], found[30]] == pytest.approx([0.5, 0.0], abs=1e-12)
    assert (np.diff(found[10:]) < 0).all()


def test_step_counts_epochs() -> None:
    found = factors(total=60, per_epoch=10, schedule="step", decay=0.5, decay_every=2, warmup=1)
    assert found[0] == 0.5 and (found[1:20] == 1).all() and (found[20:40] == 0.5).all() and (found[40:] == 0.25).all()


@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_factors_of_single_steps_are_those_of_the_whole_course(schedule: str) -> None:
    settings = lr(schedule=schedule, warmup=7, decay_every=1)
    whole = schedule_factors(settings, np.arange(40), 40, 8)
    assert [schedule_factors(settings, np.array([i]), 40, 8)[0] for i in range(40)] == whole.tolist()


@pytest.mark.parametrize("total, warmup", [(1, 0), (1, 5), (5, 4), (5, 5)])
def test_courses_shorter_than_their_warmup_are_finite(total: int, warmup: int) -> None:
    found = factors(total=total, schedule="cosine", warmup=warmup)
    assert len(found) == total and np.isfinite(found).all() and (found > 0).all()


def test_a_schedule_moves_all_groups_but_not_the_rate_of_the_strategy() -> None:
    config = make_config(
        loss={"name": "uncertainty", "lr": 0.3},
        lr={"name": "per_head", "base": 0.01, "trunk": "0.1x", "heads": {"default": "1x"}},
    )
    step = make_stack([config, config]).step
    before = step.rates.current.clone()
    step.rates.set_schedule(0.5)
    flat = step.flat
    for r in range(2):
        network, own = step.rates.current[r].split([flat.network_size, flat.values.shape[1] - flat.network_size])
        assert sorted(set(network.tolist())) == pytest.approx([0.0005, 0.005])
        assert own.tolist() == pytest.approx([0.3] * 3)
    step.rates.set_schedule(1.0)
    assert torch.equal(step.rates.current, before)


# ---------------------------------------------------------------- rates in training

OPTIMIZERS = {
    "adam": {"name": "adam", "weight_decay": 0.01},
    "adamw": {"name": "adamw", "weight_decay": 0.01},
    "sgd": {"name": "sgd", "momentum": 0.9, "nesterov": True},
    "rmsprop": {"name": "rmsprop", "centered": True, "momentum": 0.5},
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_equal_rates_give_the_parameters_of_a_single_one_bit_for_bit(optimizer: dict[str, Any]) -> None:
    # 0.003 has no exact binary form
    policies = [
        {"name": "single", "base": 0.003},
        {"name": "per_head", "base": 0.003, "trunk": "1x", "heads": {"default": "1x", "b": 0.003}},
        {"name": "per_head", "base": 77.0, "trunk": 0.003, "heads": {"default": "0.003", "a": 3e-3}},
    ]
    values = []
    for policy in policies:
        stack = make_stack([make_config(lr=policy, optimizer=optimizer, loss={"name": "uncertainty"})], missing=0.2)
        train_steps(stack, 30)
        values.append(stack.step.flat.values)
    assert torch.equal(values[0], values[1]) and torch.equal(values[0], values[2])
    assert values[0].isfinite().all()


@pytest.mark.parametrize("still", ["trunk", "a", "b"])
def test_a_rate_of_0_holds_its_group_and_no_other(still: str) -> None:
    heads = {"default": 0.01} | ({} if still == "trunk" else {still: 0.0})
    config = make_config(lr={"name": "per_head", "trunk": 0.0 if still == "trunk" else 0.01, "heads": heads})
    stack, before = make_stack([config]), make_stack([config])
    train_steps(stack, 5)

    def groups(s) -> dict[str, list[torch.Tensor]]:
        return {
            "trunk": list(s.network.sharing.parameters()),
            **{t: s.network.task_parameters(t) for t in s.network.tasks},
        }

    for name, after in groups(stack).items():
        same = [torch.equal(p, q) for p, q in zip(after, groups(before)[name], strict=True)]
        assert all(same) if name == still else not any(same), name


class Point(nn.Module):
    """½(a − 1)² + 50(b − 1)²: a is the trunk's, b the head's. Starts at (0, 0)."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.zeros(1, 1)), nn.Parameter(torch.zeros(1, 1))

    def head_axes(self) -> dict[str, tuple[list[str], int]]:
        return {"b": (["t"], 1)}

    def trunk_axes(self) -> dict[str, tuple[list[str], int]]:
        return {}

    def rate_factors(self) -> dict[str, list[float]]:
        return {}

    def losses(self) -> torch.Tensor:
        return 0.5 * (self.a - 1) ** 2 + 50 * (self.b - 1) ** 2


def descend(rates: dict[str, float], steps: int) -> float:
    """How far from the minimum (1, 1) plain gradient descent ends."""
    point = Point()
    flat = Flat(point, Sum(StrategySetup([SumLossConfig()], ["t"], [(0.5, 0.5)], [0], 1, 1)))
    optimizer = FlatOptimizer(flat, [make_config(optimizer={"name": "sgd"}).optimizer])
    for _ in range(steps):
        flat.set_gradients(torch.autograd.grad(point.losses().sum(), flat.network_parameters))
        optimizer.step(flat.spread([rates], [0.0]))
    return float((flat.values - 1).norm())


def test_rates_per_group_solve_in_one_step_what_one_rate_crawls_at() -> None:
    assert descend({"trunk": 1.0, "t": 0.01}, 1) < 1e-6
    best = 2 / (1 + 100)  # the best single rate contracts both by (100 − 1)/(100 + 1) = 0.980
    assert descend({"trunk": best, "t": best}, 50) / math.sqrt(2) == pytest.approx((99 / 101) ** 50, rel=1e-3)
    for other in (0.8 * best, 1.01 * best):
        assert descend({"trunk": other, "t": other}, 300) > descend({"trunk": best, "t": best}, 300)
