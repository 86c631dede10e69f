"""What schemes with trunks of their own come to: single-task nets, hard sharing, and each other."""

import dataclasses
import json
import os
import signal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from support import make_config, make_dataset, make_stack, train_in_folders, train_steps

import mtlrun
from mtlrun.config.schema.loss import LOSS_SETTINGS
from mtlrun.config.schema.sharing import SHARINGS
from mtlrun.engine import checkpoint
from mtlrun.engine.stack import Stack
from mtlrun.loss import STRATEGIES
from mtlrun.runs.build import build_stack
from mtlrun.storage.progress import Progress
from mtlrun.util.errors import Interrupted

OWN = [name for name, kind in SHARINGS.items() if kind.own_trunks]
TIED = [name for name in OWN if name != "none"]
SGD: dict[str, Any] = {"optimizer": {"name": "sgd"}, "lr": {"base": 0.05}}


def parameters(stack: Stack, run: int = 0) -> dict[str, torch.Tensor]:
    """The parameters of one run, by name, in their shapes."""
    return {name: p.detach()[run].clone() for name, p in stack.network.named_parameters()}


def by_task(stack: Stack, task: str) -> list[torch.Tensor]:
    """Those of one task: its own trunk's, layer by layer, and its head's."""
    network = stack.network
    at = network.order.index(task)
    return [p[0, at].detach() for p in network.sharing.parameters()] + list(network.task_parameters(task))


@pytest.mark.parametrize(
    "extra",
    [{}, {"model": {"dropout": 0.3}}, {"model": {"hidden": [], "head_hidden": []}}, SGD],
    ids=["adam", "dropout", "linear", "sgd"],
)
def test_none_is_the_single_task_nets(extra: dict[str, Any]) -> None:
    config = make_config(sharing={"name": "none"}, **extra)
    dataset = make_dataset(config)
    together = build_stack([config], [dataset])
    train_steps(together, 20)
    figures = together.val()[0]
    for task in "abc":
        own = make_config(sharing={"name": "hard"}, only=[task], **extra)
        alone = build_stack([own], [dataclasses.replace(dataset, targets={task: dataset.targets[task]})])
        train_steps(alone, 20)
        trunk = [
            p[0].detach()
            for kind in ("weight", "bias")
            for n, p in alone.network.sharing.named_parameters()
            if kind in n
        ]
        expected = [*trunk, *alone.network.task_parameters(task)]
        for one, other in zip(by_task(together, task), expected, strict=True):
            torch.testing.assert_close(one.squeeze(), other.squeeze(), rtol=1e-6, atol=1e-6)
        for (name, metric), value in alone.val()[0].items():
            if name == task:
                assert figures[task, metric] == pytest.approx(value, rel=1e-5, abs=1e-6)


def outputs(sharing: dict[str, Any], steps: int = 20, **groups: Any) -> dict[str, torch.Tensor]:
    """Outputs `[R, N, K]` on val by task, of two runs after some steps."""
    stack = make_stack([make_config(seed=s, sharing=sharing, **(SGD | groups)) for s in (0, 1)], missing=0.3)
    train_steps(stack, steps)
    by_block = zip(stack.network.blocks, stack.val.outputs(), strict=True)
    return {task: out[:, :, i] for block, out in by_block for i, task in enumerate(block.tasks)}


GROUPED: dict[str, dict[str, Any]] = {
    "sum": {},
    "uncertainty": {"loss": {"name": "uncertainty"}},
    "no layers": {"model": {"hidden": [], "head_hidden": []}},
    "dropout": {"model": {"dropout": 0.3}},
    "edges": {"graph": {"receives": {"b": {"a": "stop", "trunk": {"at": 1}}, "c": {"b": "pass", "trunk": "reverse"}}}},
    "constants": {"graph": {"constants": {"b": ["layer2", "trunk"]}}},
}
SHARED: dict[str, dict[str, Any]] = {
    "tabm": {"model": {"name": "tabm", "members": 3}},
    "pcgrad": {"loss": {"name": "pcgrad"}},
    "mgda along edges": {"loss": {"name": "mgda"}, "graph": {"name": "chain", "gradient": "pass"}},
    "own weights of heads": {"loss": {"name": "fixed", "weights": {"a": 3.0}, "heads": "own"}},
}


def assert_same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> None:
    assert one.keys() == two.keys()
    for task, out in one.items():
        torch.testing.assert_close(out, two[task], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", GROUPED | SHARED)
def test_one_group_is_hard_sharing(name: str) -> None:
    extra = (GROUPED | SHARED)[name]
    one = {"name": "groups", "groups": [["c", "a", "b"]]}
    assert_same(outputs(one, **extra), outputs({"name": "hard"}, **extra))


@pytest.mark.parametrize("name", GROUPED)
def test_a_group_for_each_task_is_none(name: str) -> None:
    each = {"name": "groups", "groups": [["b"], ["c"]]}  # a is in none: a trunk of its own too
    assert_same(outputs(each, **GROUPED[name]), outputs({"name": "none"}, **GROUPED[name]))


@pytest.mark.parametrize("name", ["sum", "tabm", "pcgrad"])
def test_groups_train_as_nets_of_their_own(name: str) -> None:
    """Each group as hard sharing with `only` its tasks. Gradients of different groups are orthogonal."""
    extra, tasks = SGD | (GROUPED | SHARED)[name], {t: {"type": "regression"} for t in "abcd"}
    groups = [["a", "c"], ["d", "b"]]
    config = make_config(tasks, sharing={"name": "groups", "groups": groups}, **extra)
    dataset = make_dataset(config)
    together = build_stack([config], [dataset])
    train_steps(together, 20)
    figures = together.val()[0]
    for group in groups:
        own = make_config(tasks, only=group, **extra)
        targets = {task: dataset.targets[task] for task in own.active}
        alone = build_stack([own], [dataclasses.replace(dataset, targets=targets)])
        train_steps(alone, 20)
        for (task, metric), value in alone.val()[0].items():
            assert not task or figures[task, metric] == pytest.approx(value, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("hidden", [[8, 6], []])
@pytest.mark.parametrize("name", TIED)
def test_strength_0_is_none_bit_for_bit(name: str, hidden: list[int]) -> None:
    settings = {"strength": 0.0} | ({"ridge": 0.0} if name == "mean_regularized" else {})
    model = {"hidden": hidden, "head_hidden": []}
    found = []
    for sharing in ({"name": name} | settings, {"name": "none"}):
        stack = make_stack([make_config(sharing=sharing, model=model)], missing=0.3)
        train_steps(stack, 20)
        found.append(stack.step.flat.values)
    assert torch.equal(*found)


@pytest.mark.parametrize(
    "extra", [{}, {"loss": {"name": "uncertainty"}}, {"model": {"dropout": 0.3}}], ids=["sum", "uncertainty", "dropout"]
)
def test_infinite_strength_is_hard_sharing_at_a_share_of_the_rate(extra: dict[str, Any]) -> None:
    """θ_t ← mean over t of θ − r g_t = θ − (r/T) Σ g_t."""
    tied = make_config(sharing={"name": "soft_l2", "strength": 1e12}, **(SGD | extra))
    rates = {"name": "per_head", "base": 0.05, "trunk": 0.05 / 3, "heads": {"default": 0.05}}
    hard = make_config(**(SGD | extra | {"lr": rates}))
    stacks = [make_stack([c], missing=0.3) for c in (tied, hard)]
    for stack in stacks:
        train_steps(stack, 20)
    ours, theirs = (stack.network.sharing for stack in stacks)
    for i, layer in enumerate(theirs.trunk.linear):
        for own, one in zip(ours.trunks.layers[i], (layer.weight, layer.bias), strict=True):
            torch.testing.assert_close(own, one.unsqueeze(1).expand_as(own), rtol=1e-5, atol=1e-6)
    for task in "abc":
        for own, one in zip(*(s.network.task_parameters(task) for s in stacks), strict=True):
            torch.testing.assert_close(own, one, rtol=1e-5, atol=1e-6)


SETTINGS: dict[str, dict[str, Any]] = {
    "fixed": {"weights": {"a": 2.0, "b": 0.5}},
    "famo": {"lower_bound": 0.0},
}


@pytest.mark.parametrize("name", [n for n in LOSS_SETTINGS if not STRATEGIES[n].needs_gradients])
def test_strategies_that_read_losses_alone(name: str) -> None:
    """With missing labels and strengths of their own, in a stack as alone; every trunk moves."""

    def config(seed: int, strength: float) -> Any:
        sharing = {"name": "soft_l2", "strength": strength}
        tasks = {t: {"type": kind} for t, kind in (("a", "regression"), ("b", "binary"), ("c", "categorical"))}
        return make_config(tasks, seed=seed, sharing=sharing, loss={"name": name} | SETTINGS.get(name, {}))

    configs = [config(0, 0.01), config(1, 1.0)]
    stack = make_stack(configs, missing=0.3)
    before = parameters(stack)
    train_steps(stack, 20)
    for r in (0, 1):
        alone = make_stack(configs[r : r + 1], missing=0.3)
        train_steps(alone, 20)
        for key, value in parameters(alone).items():
            torch.testing.assert_close(value, parameters(stack, r)[key], rtol=1e-5, atol=1e-5)
    moved = [(parameters(stack)[key] != before[key]).flatten(1).any(1) for key in before if key.startswith("sharing.")]
    assert len(moved) == 4 and all(bool(own.all()) for own in moved)


def test_gradients_along_the_graph_and_rates_by_head() -> None:
    """A task's trunk moves by what its edge lets pass: nothing, all, or its opposite; and none at a rate of 0."""

    def moved(receives: Any = None, **lr: Any) -> dict[str, torch.Tensor]:
        graph = {"receives": {"b": {"trunk": receives}}} if receives is not None else {}
        config = make_config(sharing={"name": "none"}, graph=graph, optimizer={"name": "sgd"}, lr=lr or {"base": 0.1})
        stack = make_stack([config])
        before = parameters(stack)
        train_steps(stack, 1)
        return {key: value - before[key] for key, value in parameters(stack).items()}

    passed, stopped, turned = moved("pass"), moved("stop"), moved("reverse")
    early, slow = moved({"at": 1}), moved(name="per_head", base=0.1, trunk=0.0)
    trunk = [key for key in passed if key.startswith("sharing.")]
    for key in trunk:
        assert stopped[key][1].eq(0).all() and passed[key][1].ne(0).any() and slow[key].eq(0).all()
        torch.testing.assert_close(turned[key][1], -passed[key][1])
        for other in (0, 2):
            torch.testing.assert_close(stopped[key][other], passed[key][other])
    second = [key for key in trunk if key.endswith(".1")]
    assert len(second) == 2 and all(early[key][1].eq(0).all() and early[key][0].ne(0).any() for key in second)
    assert any(value.ne(0).any() for key, value in slow.items() if key not in trunk)


@pytest.mark.parametrize("name", TIED)
def test_penalties_act_at_the_trunk_s_rate(name: str) -> None:
    """Nothing shrinks at a rate of 0, and with the schedule's factor, here 0 in the warm-up's first step."""
    config = make_config(sharing={"name": name, "strength": 1.0}, lr={"name": "per_head", "base": 0.1, "trunk": 0.0})
    stack = make_stack([config])
    before = parameters(stack)
    train_steps(stack, 3)
    assert all(torch.equal(v, before[k]) for k, v in parameters(stack).items() if k.startswith("sharing."))
    stack = make_stack([make_config(sharing={"name": name, "strength": 1.0})])
    stack.step.rates.set_schedule(0.0)
    train_steps(stack, 3)
    assert all(torch.equal(v, before[k]) for k, v in parameters(stack).items() if k.startswith("sharing."))


@pytest.mark.parametrize("name", [*OWN, "groups"])
def test_files_checkpoints_and_predictions(name: str, tmp_path: Path) -> None:
    """A stack that is interrupted goes on to the same bits; what is loaded of a run gives its figures again."""
    trainer = {"epochs": 4, "log_activations": True, "importance": True}
    settings: dict[str, Any] = {"none": {}, "groups": {"groups": [["c", "a"]]}}.get(name, {"strength": 0.01})
    sharing = {"name": name} | settings
    configs = [make_config(seed=s, sharing=sharing, trainer=trainer) for s in (0, 1)]
    datasets = [make_dataset(c, missing=0.2) for c in configs]

    def train(folder: Path, stop: int | None = None) -> list[Path]:
        folders = [folder / str(r) for r in range(2)]
        train_in_folders(
            configs, datasets, folders, folder / "stack.pt", 7, lambda *_: Stopping(stop), lambda members: None
        )
        return folders

    whole = train(tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(tmp_path / "parts", stop=6)
    for one, two in zip(whole, train(tmp_path / "parts"), strict=True):
        assert (one / "metrics.csv").read_bytes() == (two / "metrics.csv").read_bytes()
        best = [checkpoint.load(folder / "checkpoints" / "best.pt")["network"] for folder in (one, two)]
        assert all(torch.equal(value, best[1][key]) for key, value in best[0].items())
    rows = pd.read_csv(whole[0] / "metrics.csv", keep_default_na=False)
    logged = {
        "soft_l2": ["distance"],
        "mean_regularized": ["distance"],
        "trace_norm": ["rank_layer1", "rank_layer2"],
        "joint_features": ["zeros"],
        "l1": ["zeros"],
        "none": [],
        "groups": [],
    }[name]
    for metric in logged:
        assert len(rows[(rows["metric"] == metric) & (rows["task"] == "")]) == 4
    for task in "abc":
        assert len(rows[(rows["metric"] == "dead_trunk_layer2") & (rows["task"] == task)]) == 4
    assert (whole[0] / "importance.csv").stat().st_size > 100

    dataset, summary = datasets[0], json.loads((whole[0] / "summary.json").read_text())
    test = dataset.split.test
    frame = pd.DataFrame(dataset.numeric[test], columns=[c.name for c in dataset.spec.columns])
    errors = mtlrun.load(whole[0]).predict(frame)["a"].to_numpy() - dataset.targets["a"].values[test]
    seen = dataset.targets["a"].observed[test]
    assert float((errors[seen] ** 2).mean() ** 0.5) == pytest.approx(summary["figures"]["test/a/rmse"], rel=1e-5)


class Stopping(Progress):
    """Shows nothing; a SIGINT after a step."""

    def __init__(self, at: int | None) -> None:
        super().__init__(0, [])
        self.at = at

    def step(self, step: int, losses: Any) -> None:
        if step == self.at:
            os.kill(os.getpid(), signal.SIGINT)


def test_notes_on_penalties_of_heads() -> None:
    """Heads of one type are tied; those of a net without a trunk's layers move at rates of their own."""
    model = {"hidden": [], "head_hidden": []}
    mixed = make_config(sharing={"name": "soft_l2"}, model=model)
    (note,) = mixed.notes
    assert note.startswith("sharing=soft_l2: model.hidden is empty") and note.endswith("a, b, c to none")
    like = {t: {"type": "regression"} for t in "ab"}
    assert make_config(like, sharing={"name": "soft_l2"}, model=model).notes == ()
    assert make_config(sharing={"name": "soft_l2"}).notes == ()
    (note,) = make_config(like, sharing={"name": "l1"}, model=model, lr={"name": "per_head"}).notes
    assert "lr.trunk" in note
