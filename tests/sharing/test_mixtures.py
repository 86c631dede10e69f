"""Mixtures of experts and stitches: what they come to in special cases, over stacks and under all strategies."""

import os
import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from support import make_config, make_dataset, make_stack, train_in_folders, train_steps
from torch import Tensor

from mtlrun.cli.main import main
from mtlrun.config.check import check
from mtlrun.config.schema import Config, as_mapping
from mtlrun.config.schema.loss import LOSS_SETTINGS
from mtlrun.engine.backward import PerTaskBackward
from mtlrun.engine.diagnostics import mean_gates
from mtlrun.engine.stack import Stack
from mtlrun.runs.predictor import load
from mtlrun.storage.progress import Progress
from mtlrun.util.errors import Interrupted, RequestError

TASKS = {"a": {"type": "regression"}, "b": {"type": "binary"}, "c": {"type": "regression"}}
SCHEMES: dict[str, dict[str, Any]] = {
    "mmoe": {"name": "mmoe", "experts": 3},
    "cgc": {"name": "cgc", "shared_experts": 2, "task_experts": 2},
    "ple": {"name": "ple", "shared_experts": 2, "task_experts": 2},
    "cross_stitch": {"name": "cross_stitch", "own": 0.8},
}
ONE_EXPERT: dict[str, dict[str, Any]] = {
    "mmoe": {"name": "mmoe", "experts": 1},
    "cgc": {"name": "cgc", "shared_experts": 1, "task_experts": 0},
    "ple": {"name": "ple", "shared_experts": 1, "task_experts": 0},
}
SHAPE = {"hidden": [6, 5, 4], "head_hidden": [3], "activation": "tanh"}


def stack_of(
    sharing: Mapping[str, Any], seeds: int = 2, tasks: Mapping[str, Any] = TASKS, missing: float = 0.3, **groups: Any
) -> Stack:
    """Runs that differ in their seeds, by plain gradient descent, which keeps rounding as small as it is."""
    settings = {"optimizer": {"name": "sgd"}, "lr": {"base": 0.1}, "model": SHAPE} | groups
    return make_stack([make_config(tasks, seed=s, sharing=sharing, **settings) for s in range(seeds)], missing=missing)


def outputs(stack: Stack, steps: int = 20) -> list[Tensor]:
    """Those on val of the network after so many steps."""
    train_steps(stack, steps)
    return stack.val.outputs()


def assert_same(one: Stack, two: Stack, steps: int = 20) -> None:
    """Two networks train alike, and train at all."""
    before = [out.clone() for out in one.val.outputs()]
    found, expected = outputs(one, steps), outputs(two, steps)
    for a, b, start in zip(found, expected, before, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
        assert (a - start).abs().max() > 0.01


def freeze(gates: Any, choice: Tensor) -> None:
    """Gates that give everything to one expert: `choice` `[T]`. Their softmax is 0 or 1 to the last bit, and so flat
    that they stay."""
    with torch.no_grad():
        gates.weight.zero_()
        gates.bias.fill_(-1e4)
        gates.bias[:, torch.arange(len(choice)), 0, choice] = 1e4


# ---------------------------------------------------------------- reductions


@pytest.mark.parametrize("dropout", [0.0, 0.25])
@pytest.mark.parametrize("name", ONE_EXPERT)
def test_one_expert_is_hard_sharing(name: str, dropout: float) -> None:
    model = SHAPE | {"dropout": dropout}
    assert_same(stack_of(ONE_EXPERT[name], model=model), stack_of({"name": "hard"}, model=model))


@pytest.mark.parametrize("dropout", [0.0, 0.25])
@pytest.mark.parametrize("name", ["mmoe", "cgc", "ple"])
def test_gates_that_all_choose_the_first_expert_are_hard_sharing(name: str, dropout: float) -> None:
    model = SHAPE | {"dropout": dropout}
    stack = stack_of(SCHEMES[name], model=model)
    sharing = stack.network.sharing
    every = [sharing.gate] if name != "ple" else [*sharing.gate, *sharing.shared_gate]
    for gates in every:
        freeze(gates, torch.zeros(gates.weight.shape[1], dtype=torch.long))
    assert_same(stack, stack_of({"name": "hard"}, model=model))


@pytest.mark.parametrize("name", ["mmoe", "cgc", "ple"])
def test_gates_that_choose_an_expert_for_each_task_are_single_task_nets(name: str) -> None:
    stack, alone = stack_of(SCHEMES[name]), stack_of({"name": "none"})
    sharing, trunks = stack.network.sharing, alone.network.sharing.trunks
    chosen = torch.arange(3) if name == "mmoe" else torch.full((3,), 3)  # the second of a task's own, after two shared
    for gates in sharing.gate if name == "ple" else [sharing.gate]:
        freeze(gates, chosen)
    experts = sharing.shared if name == "mmoe" else sharing.own
    with torch.no_grad():
        for own, single in zip(experts.parameters(), trunks.parameters(), strict=True):
            single.copy_(own if name == "mmoe" else own[:, :, 1])
    assert_same(stack, alone)


@pytest.mark.parametrize("experts", [(1, 1), (2, 0), (3, 2)], ids=str)
def test_with_one_layer_ple_is_cgc(experts: tuple[int, int]) -> None:
    numbers = dict(zip(("shared_experts", "task_experts"), experts, strict=True))
    model = SHAPE | {"hidden": [6], "dropout": 0.25}
    cgc, ple = (stack_of({"name": name} | numbers, model=model) for name in ("cgc", "ple"))
    assert_same(cgc, ple)
    assert torch.equal(cgc.step.flat.values, ple.step.flat.values)


def test_without_own_experts_cgc_is_mmoe() -> None:
    cgc = stack_of({"name": "cgc", "shared_experts": 3, "task_experts": 0})
    assert_same(stack_of(SCHEMES["mmoe"]), cgc)


@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_diagonal_stitches_that_stay_are_single_task_nets(dropout: float) -> None:
    model = SHAPE | {"dropout": dropout}
    stack = stack_of({"name": "cross_stitch", "own": 1.0, "rate": 0.0}, model=model)
    assert_same(stack, stack_of({"name": "none"}, model=model))
    for stitches in stack.network.sharing.stitches:
        assert torch.equal(stitches, torch.eye(3).expand(2, 3, 3))


def test_stitches_begin_as_hard_sharing_and_leave_it() -> None:
    """Every row sums to 1, and the trunks are alike."""
    stack, hard = stack_of(SCHEMES["cross_stitch"]), stack_of({"name": "hard"})
    for own, shared in zip(outputs(stack, 0), outputs(hard, 0), strict=True):
        torch.testing.assert_close(own, shared, rtol=1e-5, atol=1e-6)
    train_steps(stack, 20)
    first = stack.network.sharing.trunks.weights[0]
    assert (first[:, 0] - first[:, 1]).abs().amax((1, 2)).min() > 1e-3


@pytest.mark.parametrize("name", ["cgc", "ple"])
def test_a_task_s_own_experts_begin_alike_whatever_other_tasks_there_are(name: str) -> None:
    together, alone = (stack_of(SCHEMES[name], tasks=tasks).network.sharing for tasks in (TASKS, {"b": TASKS["b"]}))
    for whole, own in zip(together.own.parameters(), alone.own.parameters(), strict=True):
        assert torch.equal(whole[:, 1], own[:, 0])
        assert not torch.equal(own[:, 0, 0], own[:, 0, 1])  # the two are not one


@pytest.mark.parametrize("name", SCHEMES)
def test_one_task_alone_trains(name: str) -> None:
    """As the baseline of a sweep has it; with stitches that stay it is the plain net."""
    stack = stack_of(SCHEMES[name] | ({"rate": 0.0} if name == "cross_stitch" else {}), tasks={"a": TASKS["a"]})
    (before,), (after,) = [out.clone() for out in stack.val.outputs()], outputs(stack)
    assert (after - before).abs().max() > 0.01
    if name == "cross_stitch":
        torch.testing.assert_close(after, outputs(stack_of({"name": "hard"}, tasks={"a": TASKS["a"]}))[0])


# ---------------------------------------------------------------- formulas


def dense(experts: Any, e: int | tuple[int, int], i: int, x: Tensor) -> Tensor:
    """Layer i, from 0, of one expert of the first run: tanh(x W + b)."""
    at = (0, e) if isinstance(e, int) else (0, *e)
    return torch.tanh(x @ experts.weights[i][at] + experts.biases[i][at])


def gate(gates: Any, t: int, x: Tensor) -> Tensor:
    """Shares `[B, N]` of one reader of the first run, by exponentials."""
    powers = (x @ gates.weight[0, t] + gates.bias[0, t]).exp()
    return powers / powers.sum(1, keepdim=True)


def mixture(shares: Tensor, experts: list[Tensor]) -> Tensor:
    return sum((shares[:, e, None] * h for e, h in enumerate(experts)), torch.zeros(1))


@pytest.mark.parametrize("name", ["mmoe", "cgc"])
def test_features_are_the_formula_of_mmoe_and_cgc(name: str) -> None:
    stack = stack_of(SCHEMES[name])
    sharing, x = stack.network.sharing, torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0))
    found = sharing(x)
    assert [tuple(f.shape) for f in found] == [(2, 7, 4), (2, 3, 7, 6), (2, 3, 7, 5), (2, 3, 7, 4)]
    for t in range(3):
        names: list[tuple[Any, int | tuple[int, int]]] = [(sharing.shared, k) for k in range(len(sharing.shared.names))]
        names += [(sharing.own, (t, k)) for k in range(2)] if name == "cgc" else []
        hidden = [x[0]] * len(names)
        for i in range(3):
            hidden = [dense(experts, e, i, h) for (experts, e), h in zip(names, hidden, strict=True)]
            torch.testing.assert_close(found[i + 1][0, t], mixture(gate(sharing.gate, t, x[0]), hidden))


def test_features_are_the_formula_of_ple() -> None:
    stack = stack_of(SCHEMES["ple"])
    sharing, x = stack.network.sharing, torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0))
    found, shared, of_task = sharing(x), x[0], [x[0]] * 3
    for i in range(3):
        from_shared = [dense(sharing.shared, k, i, shared) for k in range(2)]
        from_own = [[dense(sharing.own, (t, k), i, of_task[t]) for k in range(2)] for t in range(3)]
        of_task = [mixture(gate(sharing.gate[i], t, of_task[t]), from_shared + from_own[t]) for t in range(3)]
        for t in range(3):
            torch.testing.assert_close(found[i + 1][0, t], of_task[t])
        if i < 2:
            shared = mixture(
                gate(sharing.shared_gate[i], 0, shared), [*from_shared, *(h for own in from_own for h in own)]
            )


def test_features_are_the_formula_of_stitches() -> None:
    stack = stack_of(SCHEMES["cross_stitch"])
    train_steps(stack, 5)
    sharing, x = stack.network.sharing, torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0))
    features, of_task = sharing(x), [x[0]] * 3
    for i in range(3):
        hidden = [dense(sharing.trunks, t, i, of_task[t]) for t in range(3)]
        of_task = [mixture(sharing.stitches[i][0, t].expand(7, 3), hidden) for t in range(3)]
        torch.testing.assert_close(features[i + 1][0], torch.stack(of_task))
        own = sharing.figures()[f"stitch_layer{i + 1}_b"]
        assert torch.equal(own, sharing.stitches[i][:, :, 1]) and (own[:, 1] != 0.8).all()  # they learn


def test_stitches_learn_at_a_rate_of_their_own_in_every_run() -> None:
    rates = (0.0, 1.0, 30.0)
    stack = make_stack(
        [
            make_config(
                TASKS,
                model=SHAPE,
                optimizer={"name": "sgd"},
                lr={"base": 0.02},
                sharing={"name": "cross_stitch", "rate": rate},
            )
            for rate in rates
        ]
    )
    before = [stitches.detach().clone() for stitches in stack.network.sharing.stitches]
    weight = stack.network.sharing.trunks.weights[0].detach().clone()
    batch = next(iter(stack.train.epoch(1)))
    losses = stack.network.losses(batch.x, batch.targets).sum()
    gradients = torch.autograd.grad(losses, [*stack.network.sharing.stitches])
    train_steps(stack, 1)
    for start, stitches, gradient in zip(before, stack.network.sharing.stitches, gradients, strict=True):
        step = -0.02 * torch.tensor(rates).view(3, 1, 1) * gradient
        torch.testing.assert_close(stitches.detach() - start, step, rtol=1e-3, atol=1e-7)
        assert gradient.abs().max() > 1e-4
    moved = stack.network.sharing.trunks.weights[0].detach() - weight
    torch.testing.assert_close(moved[0], moved[2])  # the trunks' rate is as it was


# ---------------------------------------------------------------- gates


@pytest.mark.parametrize("name", ["mmoe", "cgc", "ple"])
def test_gates_sum_to_one_and_their_means_are_over_the_rows_of_val(name: str) -> None:
    configs = [make_config(TASKS, seed=s, sharing=SCHEMES[name], model=SHAPE) for s in range(2)]
    stack = make_stack(configs, missing=0.3)
    cut = stack.val.real.clone()
    cut[1, -3:] = False  # as if the second run had three rows less, padded with others of its own
    stack.val.real = cut
    sharing = stack.network.sharing
    figures, shares = mean_gates(stack.val), sharing.gates(stack.val.rows.batch(stack.val.index[None])[0][0])
    assert {key[1] for key in figures[0]} == set(shares)
    for r, rows in enumerate((24, 21)):
        for (task, metric), value in figures[r].items():
            own = shares[metric][r]
            own = own[list(TASKS).index(task)] if task else own
            assert value == pytest.approx(own[:rows].double().mean().item(), rel=1e-6)
        sums: dict[tuple[str, str], float] = {}  # by reader and level
        for (task, metric), value in figures[r].items():
            level = re.match(r"gate_(level\d)?", metric)
            assert level
            sums[task, level[0]] = sums.get((task, level[0]), 0.0) + value
        assert len(sums) == (11 if name == "ple" else 3)  # 3 levels of 3 tasks, 2 shared gates
        assert list(sums.values()) == pytest.approx([1.0] * len(sums), rel=1e-6)


def test_names_of_gates() -> None:
    x = torch.zeros(2, 3, 4)
    assert list(stack_of(SCHEMES["mmoe"]).network.sharing.gates(x)) == ["gate_expert0", "gate_expert1", "gate_expert2"]
    own = ["gate_shared0", "gate_shared1", "gate_own0", "gate_own1"]
    assert list(stack_of(SCHEMES["cgc"]).network.sharing.gates(x)) == own
    model = SHAPE | {"hidden": [6, 5]}
    ple = stack_of({"name": "ple", "shared_experts": 1}, model=model).network.sharing.gates(x)
    assert list(ple) == [
        "gate_level1_shared0",
        "gate_level1_own0",
        "gate_level1_all_shared0",
        "gate_level1_all_a_own0",
        "gate_level1_all_b_own0",
        "gate_level1_all_c_own0",
        "gate_level2_shared0",
        "gate_level2_own0",
    ]
    assert stack_of(SCHEMES["cross_stitch"]).network.sharing.gates(x) == {}


# ---------------------------------------------------------------- gradients, strategies, edges


@pytest.mark.parametrize("name", SCHEMES)
def test_what_is_one_tasks_own_is_what_no_other_loss_reaches(name: str) -> None:
    stack = stack_of(SCHEMES[name], missing=0.0)
    network, flat = stack.network, stack.step.flat
    batch = next(iter(stack.train.epoch(1)))
    back = PerTaskBackward(network, flat)
    _, found = back.forward(batch.x, batch.targets, None)
    losses = network.losses(batch.x, batch.targets)
    expected = torch.stack(
        [
            torch.cat(
                [
                    g.flatten(1)
                    for g in torch.autograd.grad(
                        losses[:, t].sum(),
                        flat.network_parameters,
                        retain_graph=True,
                        allow_unused=True,
                        materialize_grads=True,
                    )
                ],
                1,
            )
            for t in range(3)
        ],
        1,
    )
    torch.testing.assert_close(found, expected * back.shared.unsqueeze(1), rtol=1e-5, atol=1e-7)
    several = (expected != 0).sum(1) > 1
    assert torch.equal(several, back.shared)  # no more and no less: nothing is 0 by chance with tanh
    assert 0 < flat.shared_size < flat.trunk_size


# one strategy for each way in which gradients, and what is learnt or kept of them, go through a scheme
KINDS = ["uncertainty", "pcgrad", "gradnorm", "graddrop", "excess_mtl"]
PAIRS = [(name, loss) for name in SCHEMES for loss in KINDS] + [("cgc", loss) for loss in LOSS_SETTINGS]


@pytest.mark.parametrize(("name", "loss"), dict.fromkeys(PAIRS))
def test_every_strategy_trains_a_stack_as_its_members_alone(name: str, loss: str) -> None:
    tasks = {"a": {"type": "regression"}, "b": {"type": "binary"}, "c": {"type": "categorical"}}
    settings: dict[str, Any] = {
        "sharing": SCHEMES[name],
        "loss": {"name": loss},
        "optimizer": {"name": "sgd"},
        "model": {"hidden": [6, 5], "head_hidden": [3], "dropout": 0.2},
    }
    configs = [make_config(tasks, seed=s, **settings) for s in range(2)]
    together = make_stack(configs, missing=0.3)
    start = together.step.flat.values.clone()
    train_steps(together, 6)
    values = together.step.flat.values
    assert values.isfinite().all() and (values - start).abs().amax(1).min() > 1e-5
    for r, config in enumerate(configs):
        alone = make_stack([config], missing=0.3)
        train_steps(alone, 6)
        torch.testing.assert_close(alone.step.flat.values[0], values[r], rtol=1e-4, atol=1e-5)


EDGES: dict[str, dict[str, Any]] = {
    "at 1": {"receives": {"a": {"trunk": {"at": 1}}}},
    "stop": {"receives": {"a": {"trunk": "stop"}}},
    "reverse": {"receives": {"a": {"trunk": "reverse"}}},
}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("name", SCHEMES)
def test_edges_from_the_trunk(name: str, edge: str) -> None:
    """A task may read any layer of its mixture, and pass no gradient into it, or the opposite one."""
    stack, usual = stack_of(SCHEMES[name], graph=EDGES[edge]), stack_of(SCHEMES[name])
    batch = next(iter(stack.train.epoch(1)))

    def gradient(of: Stack) -> Tensor:
        losses = of.network.losses(batch.x, batch.targets)[:, of.network.tasks.index("a")]
        parameters = dict(of.network.sharing.named_parameters()).values()
        found = torch.autograd.grad(losses.sum(), [*parameters], allow_unused=True, materialize_grads=True)
        return torch.cat([g.flatten(1) for g in found], 1)

    if edge == "at 1":
        block = stack.network.place["a"][0]
        features = stack.network.sharing(batch.x)
        assert torch.equal(block.read(features), features[1][:, 0]) and features[1].shape[-1] == 6
        assert (gradient(stack) == 0).sum() > (gradient(usual) == 0).sum()  # later layers get none
    else:
        factor = {"stop": 0.0, "reverse": -1.0}[edge]
        torch.testing.assert_close(gradient(stack), factor * gradient(usual))


@pytest.mark.parametrize("name", SCHEMES)
def test_a_given_weight_and_rates_per_head(name: str) -> None:
    """loss.weights.b=0 with sum is training without b; a trunk's rate of 0 holds gates and stitches, too."""
    stack = stack_of(SCHEMES[name], loss={"weights": {"b": 0.0}})
    place = {n: p.detach().clone() for n, p in stack.network.named_parameters()}
    train_steps(stack, 3)
    for n, (tasks, axis) in (stack.network.trunk_axes() | stack.network.head_axes()).items():
        if "b" in tasks:
            at = list(tasks).index("b")
            assert torch.equal(stack.network.get_parameter(n).select(axis, at), place[n].select(axis, at)), n
    rates = {"name": "per_head", "base": 0.1, "trunk": 0.0}
    stack = stack_of(SCHEMES[name], lr=rates)
    place = {n: p.detach().clone() for n, p in stack.network.named_parameters()}
    train_steps(stack, 3)
    for n, parameter in stack.network.named_parameters():
        assert torch.equal(parameter, place[n]) == n.startswith("sharing."), n


@pytest.mark.parametrize("name", SCHEMES)
def test_a_trunk_without_layers_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match=rf"sharing={name}: .*model.hidden is empty\nset model.hidden=\[64\]"):
        make_config(TASKS, sharing=SCHEMES[name], model={"hidden": []})
    config = make_config(TASKS, sharing=SCHEMES[name])
    assert check(as_mapping(config)) == config


def test_check_says_how_many_experts_and_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    def told(sharing: Mapping[str, Any]) -> str:
        return stack_of(sharing, seeds=1, model={"hidden": [6, 5], "head_hidden": []}).network.sharing.describe()

    # 4 inputs: 4·6 + 6 and 6·5 + 5 in an expert, (4 + 1)·N in a gate of the inputs, (6 + 1)·N in one of level 2
    assert told(SCHEMES["mmoe"]) == "3 shared experts, 65 parameters each; gates 45"
    assert told(SCHEMES["cgc"]) == "2 shared experts and 2 for each task, 65 parameters each; gates 60"
    assert told(SCHEMES["ple"]) == (
        "2 levels of 2 shared experts and 2 for each task, 30 and 35 parameters each; gates 184"
    )
    assert told(SCHEMES["cross_stitch"]) == "3 trunks of 65 parameters; stitches 18"
    assert told({"name": "hard"}) == ""
    # 6 inputs of the diamonds
    assert main(["check", "sharing=mmoe", "sharing.experts=2", "model.hidden=[8]", "data.train_rows=100"]) == 0
    assert "  sharing=mmoe: 2 shared experts, 56 parameters each; gates 56\n" in capsys.readouterr().out


# ---------------------------------------------------------------- from files to files


class Quiet(Progress):
    """Shows nothing; acts after a step."""

    def __init__(self, step: int = -1, action: Callable[[], None] = lambda: None) -> None:
        super().__init__(0, [])
        self.at, self.action = step, action

    def step(self, step: int, losses: Any) -> None:
        if step == self.at:
            self.action()


@pytest.mark.parametrize("name", SCHEMES)
def test_a_run_is_resumed_bit_for_bit_logs_its_gates_and_predicts(name: str, tmp_path: Path) -> None:
    def configs() -> list[Config]:
        return [make_config(TASKS, seed=s, sharing=SCHEMES[name], trainer={"patience": None}) for s in range(2)]

    datasets = [make_dataset(c, missing=0.2) for c in configs()]

    def train(folder: Path, quiet: Quiet) -> None:
        folders = [folder / str(r) for r in range(2)]
        train_in_folders(configs(), datasets, folders, folder / "stack.pt", 0, lambda *_: quiet, lambda members: None)

    train(tmp_path / "whole", Quiet())
    with pytest.raises(Interrupted):
        train(tmp_path / "cut", Quiet(6, lambda: os.kill(os.getpid(), signal.SIGINT)))
    train(tmp_path / "cut", Quiet())
    for r in "01":
        whole, cut = tmp_path / "whole" / r / "metrics.csv", tmp_path / "cut" / r / "metrics.csv"
        assert whole.read_bytes() == cut.read_bytes()
        table = pd.read_csv(whole, keep_default_na=False)
        logged = table[table.metric.str.match("gate_|stitch_")]
        assert set(logged.groupby("step").size()) == {len(logged) // 3} and set(logged.task) - {""} == set(TASKS)
        assert set(logged.split) == {"train" if name == "cross_stitch" else "val"}
    rows = datasets[0].split.test
    frame = pd.DataFrame(datasets[0].numeric[rows], columns=[c.name for c in datasets[0].spec.columns])
    found = load(tmp_path / "cut" / "0").predict(frame)
    target = datasets[0].targets["a"]
    error = (found["a"].to_numpy() - target.values[rows])[target.observed[rows]]
    final = pd.read_csv(tmp_path / "cut" / "0" / "metrics.csv", keep_default_na=False)
    rmse = final[(final.split == "test") & (final.task == "a") & (final.metric == "rmse")].value.item()
    assert np.sqrt((error**2).mean()) == pytest.approx(rmse, rel=1e-5)
