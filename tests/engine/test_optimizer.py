"""The optimiser over runs and groups against torch's own, one for each run with its parameter groups."""

from typing import Any

import pytest
import torch
from support import make_config
from torch import Tensor, nn

from mtlrun.engine.flat import Flat
from mtlrun.engine.optimizer import FlatOptimizer, clip

# All numbers are dyadic, so that float32 and float64 agree on them.
OPTIONS: dict[str, dict[str, Any]] = {
    "adam": {"name": "adam"},
    "adam, betas and eps": {"name": "adam", "betas": [0.5, 0.75], "eps": 0.125},
    "adam, L2": {"name": "adam", "weight_decay": 0.25},
    "adam, amsgrad and L2": {"name": "adam", "amsgrad": True, "weight_decay": 0.25},
    "adamw": {"name": "adamw", "weight_decay": 0.25},
    "adamw, amsgrad": {"name": "adamw", "amsgrad": True, "weight_decay": 0.25},
    "adamw, no decay": {"name": "adamw"},
    "sgd": {"name": "sgd"},
    "sgd, L2": {"name": "sgd", "weight_decay": 0.25},
    "sgd, momentum and L2": {"name": "sgd", "momentum": 0.875, "weight_decay": 0.25},
    "sgd, nesterov": {"name": "sgd", "momentum": 0.875, "nesterov": True},
    "sgd, nesterov and L2": {"name": "sgd", "momentum": 0.875, "nesterov": True, "weight_decay": 0.25},
    "rmsprop": {"name": "rmsprop"},
    "rmsprop, L2": {"name": "rmsprop", "alpha": 0.75, "weight_decay": 0.25},
    "rmsprop, centered": {"name": "rmsprop", "centered": True, "eps": 0.125},
    "rmsprop, momentum, centered and L2": {"name": "rmsprop", "centered": True, "momentum": 0.5, "weight_decay": 0.25},
}
GROUPS = ("trunk", "a", "b", "strategy")
RATES = [  # of each run and group
    {"trunk": 2**-5, "a": 2**-3, "b": 2**-8, "strategy": 2**-4},
    {"trunk": 2**-2, "a": 0.0, "b": 2**-6, "strategy": 2**-3},
    {"trunk": 2**-7, "a": 2**-7, "b": 2**-7, "strategy": 0.0},
]
FACTORS = [1.0] * 25 + [0.5] * 25  # a schedule, that lowers all rates but the strategy's half-way


class Parameters(nn.Module):
    """Stands for a network: one trunk parameter, and heads a and b in one block."""

    def __init__(self, runs: int) -> None:
        super().__init__()
        stream = torch.Generator().manual_seed(0)
        self.trunk = nn.Parameter(torch.randn(3, 4, 2, generator=stream, dtype=torch.float64)[:runs].clone())
        self.head = nn.Parameter(torch.randn(3, 5, 2, 3, generator=stream, dtype=torch.float64)[:runs].clone())

    def head_axes(self) -> dict[str, tuple[list[str], int]]:
        return {"head": (["a", "b"], 2)}

    def trunk_axes(self) -> dict[str, tuple[list[str], int]]:
        return {}

    def rate_factors(self) -> dict[str, list[float]]:
        return {}


class Learnt(nn.Module):
    """Stands for a strategy with one parameter for each task."""

    def __init__(self, runs: int) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.ones(runs, 2, dtype=torch.float64))


def settings(option: str, runs: int) -> list[Any]:
    """The optimiser's settings of each run: 0, 1 and 2 times the weight decay."""
    base = OPTIONS[option]
    decay = [{"weight_decay": base["weight_decay"] * r} if "weight_decay" in base else {} for r in range(runs)]
    return [make_config(optimizer=base | d).optimizer for d in decay]


def gradient(values: Tensor, step: int, run: int) -> Tensor:
    """A noisy quadratic's, for the parameters `[P]` of one run."""
    noise = torch.randn(3, len(values), generator=torch.Generator().manual_seed(step), dtype=torch.float64)[run]
    return values * (1 + run) + noise


@pytest.mark.parametrize("option", OPTIONS)
def test_one_rate_for_all_is_the_same_rate_for_each(option: str) -> None:
    found = []
    for rates in (2**-5, torch.full((2, 40), 2**-5, dtype=torch.float64)):
        flat = Flat(Parameters(2), Learnt(2))  # type: ignore[arg-type]
        optimizer = FlatOptimizer(flat, settings(option, 2))
        for step in range(20):
            flat.gradients.copy_(torch.sin(flat.values + step))
            optimizer.step(rates)
        found.append(flat.values.clone())
    assert torch.allclose(*found, rtol=1e-12, atol=1e-14)


def ours(option: str, runs: list[int], steps: int = 50, stop_at: int | None = None) -> Tensor:
    """Parameters `[R, P]` after `steps`, for the runs of these numbers; `stop_at`: by way of a checkpoint there."""
    network, learnt = Parameters(3), Learnt(3)
    for p in (network.trunk, network.head, learnt.s):
        p.data = p.data[runs].clone()
    flat = Flat(network, learnt)
    configs = [settings(option, 3)[r] for r in runs]
    optimizer = FlatOptimizer(flat, configs)
    base = flat.spread([RATES[r] for r in runs], [RATES[r]["strategy"] for r in runs])
    for step in range(steps):
        if step == stop_at:
            state = {k: v.clone() for k, v in optimizer.state.items()}
            optimizer = FlatOptimizer(flat, configs)
            optimizer.load(state)
        rates = base * FACTORS[step]
        rates[:, flat.network_size :] = base[:, flat.network_size :]
        flat.gradients.copy_(torch.stack([gradient(v, step, r) for v, r in zip(flat.values, runs, strict=True)]))
        optimizer.step(rates)
    return flat.values


def theirs(option: str, run: int) -> Tensor:
    """Parameters `[P]` of one run after 50 steps of torch's optimiser."""
    network, learnt = Parameters(3), Learnt(3)
    parts = {
        "trunk": network.trunk[run],
        "a": network.head[run, :, 0],
        "b": network.head[run, :, 1],
        "strategy": learnt.s[run],
    }
    leaves = {n: nn.Parameter(p.detach().clone()) for n, p in parts.items()}
    config = settings(option, 3)[run]
    options = {k: v for k, v in OPTIONS[option].items() if k not in ("name", "weight_decay")}
    kind = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd": torch.optim.SGD,
        "rmsprop": torch.optim.RMSprop,
    }[config.name]
    groups = [
        {"params": [leaves[g]], "lr": RATES[run][g], "weight_decay": 0.0 if g == "strategy" else config.weight_decay}
        for g in GROUPS
    ]
    optimizer = kind(groups, lr=1.0, **options)

    def flat() -> Tensor:
        head = torch.stack([leaves["a"], leaves["b"]], 1)
        return torch.cat([p.flatten() for p in (leaves["trunk"], head, leaves["strategy"])]).detach()

    for step in range(50):
        for g, group in zip(GROUPS, optimizer.param_groups, strict=True):
            group["lr"] = RATES[run][g] * (1.0 if g == "strategy" else FACTORS[step])
        trunk, head, s = gradient(flat(), step, run).split([8, 30, 2])
        leaves["trunk"].grad, leaves["strategy"].grad = trunk.view(4, 2), s
        leaves["a"].grad, leaves["b"].grad = head.view(5, 2, 3).unbind(1)
        optimizer.step()
    return flat()


@pytest.mark.parametrize("option", OPTIONS)
def test_optimizers_equal_those_of_torch(option: str) -> None:
    stack = ours(option, [0, 1, 2])
    for run in range(3):
        torch.testing.assert_close(stack[run], theirs(option, run), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("option", OPTIONS)
def test_a_stack_equals_its_members_alone(option: str) -> None:
    stack = ours(option, [0, 1, 2])
    for run in range(3):
        torch.testing.assert_close(stack[run], ours(option, [run])[0], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("stop_at", [0, 1, 20])
@pytest.mark.parametrize("option", OPTIONS)
def test_a_checkpoint_goes_on_bit_for_bit(option: str, stop_at: int) -> None:
    assert torch.equal(ours(option, [0, 1], steps=30), ours(option, [0, 1], steps=30, stop_at=stop_at))


def test_rates_are_spread_over_the_parameters_of_their_group() -> None:
    flat = Flat(network := Parameters(2), learnt := Learnt(2))
    rates = flat.spread(RATES[:2], [r["strategy"] for r in RATES[:2]])
    assert rates.shape == (2, 8 + 30 + 2) and flat.network_size == 38
    trunk, head, s = rates.split([8, 30, 2], 1)
    for r in range(2):
        assert (trunk[r] == RATES[r]["trunk"]).all() and (s[r] == RATES[r]["strategy"]).all()
        assert (head[r].view(5, 2, 3)[:, 0] == RATES[r]["a"]).all() and (
            head[r].view(5, 2, 3)[:, 1] == RATES[r]["b"]
        ).all()
    flat.values.fill_(7.0)  # the parameters are views of the buffer
    assert all((p == 7).all() for p in (*network.parameters(), *learnt.parameters()))


def test_clipping_is_that_of_torch_for_each_run() -> None:
    gradients = torch.randn(4, 30, generator=torch.Generator().manual_seed(0)) * torch.tensor(
        [[0.01], [1.0], [50.0], [50.0]]
    )
    bounds = torch.tensor([1.0, 1.0, 0.3, torch.inf])
    expected = []
    for row, bound in zip(gradients, bounds.tolist(), strict=True):
        parameter = nn.Parameter(torch.zeros(30))
        parameter.grad = row.clone()
        nn.utils.clip_grad_norm_([parameter], bound)
        expected.append(parameter.grad)
    before = gradients.clone()
    clip(gradients, gradients.norm(dim=1), bounds)
    torch.testing.assert_close(gradients, torch.stack(expected), rtol=1e-6, atol=0)
    assert torch.equal(gradients[[0, 3]], before[[0, 3]])
    assert gradients[1:3].norm(dim=1).tolist() == pytest.approx([1.0, 0.3], rel=1e-5)
