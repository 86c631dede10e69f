"""The trunk's gradient: as each task would have it, and with noise."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from support import make_config, make_dataset, make_stack, train_steps

from mtlrun.engine.loop import Training
from mtlrun.engine.stack import Stack
from mtlrun.model.layers import dropout_mask
from mtlrun.runs.build import build_stack
from mtlrun.storage.progress import Progress
from mtlrun.util.errors import RequestError

TWO = {"a": {"type": "regression"}, "b": {"type": "binary"}}
LINEAR_HEADS = {"hidden": [6], "head_hidden": [], "activation": "tanh"}


def train(stack: Stack, folder: Path) -> list[pd.DataFrame]:
    """Train a stack into folders; the rows of every run's metrics.csv."""
    folders = [folder / str(r) for r in range(len(stack.configs))]
    summaries: list[dict[str, Any]] = [{"settings": {}, "status": "running"} for _ in folders]
    training = Training(stack, folders, summaries, folder / "stack.pt", None, lambda line: None)
    training.train(Progress(training.total, stack.network.tasks))
    return [pd.read_csv(f / "metrics.csv", keep_default_na=False) for f in folders]


def by_hand(stack: Stack, r: int, step: int, strength: float) -> list[np.ndarray]:
    """Gradients of the losses of a and b in one hidden layer, written out; b's is reversed. `step` counts from 1."""
    w, b, wa, ba, wb, bb = (p.detach()[r].double().requires_grad_() for p in stack.step.flat.network_parameters)
    batch = list(stack.train.epoch((step - 1) // stack.train.steps + 1))[(step - 1) % stack.train.steps]
    x, labels = batch.x[r].double(), batch.targets.labels[r].double()
    mask = dropout_mask([stack.step.seeds[r]], step - 1, "trunk.layer1", (len(x), 6), 0.25)[0].double()
    h = torch.tanh(x @ w + b) * mask
    seen = torch.ones_like(labels) if batch.targets.observed is None else batch.targets.observed[r].double()
    error = ((h @ wa[:, 0] + ba[:, 0]).squeeze(-1) - labels[:, 0]).square()
    logit = (h @ wb[:, 0] + bb[:, 0]).squeeze(-1)
    entropy = torch.log1p(logit.exp()) - labels[:, 1] * logit
    losses = [(error * seen[:, 0]).sum() / seen[:, 0].sum(), (entropy * seen[:, 1]).sum() / seen[:, 1].sum()]
    found = [torch.cat([g.flatten() for g in torch.autograd.grad(v, (w, b), retain_graph=True)]) for v in losses]
    return [found[0].numpy(), -strength * found[1].numpy()]


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_logged_norms_and_cosines_are_those_of_a_network_written_out(tmp_path: Path, missing: float) -> None:
    """Two runs, dropout, a weighted loss (which does not count), a gradient that is reversed ever more."""
    graph = {"receives": {"b": {"trunk": "reverse"}}, "reverse": {"strength": 0.7, "schedule": "ramp"}}
    trainer = {"epochs": 3, "max_steps": 11, "log_gradients": True}
    configs = [
        make_config(
            TWO,
            seed=s,
            graph=graph,
            trainer=trainer,
            model=LINEAR_HEADS | {"dropout": 0.25},
            loss={"name": "fixed", "weights": {"a": 5.0, "b": 0.1}},
        )
        for s in (1, 2)
    ]
    stack = make_stack(configs, missing=missing)
    for r, table in enumerate(train(stack, tmp_path)):
        logged = table[table.metric.str.startswith("cosine") | ((table.metric == "grad_norm") & (table.task != ""))]
        assert set(logged.split) == {"train"} and sorted(set(logged.step)) == [4, 8, 11]
        last = {
            (task, metric): v
            for task, metric, v in logged[logged.step == 11][["task", "metric", "value"]].itertuples(index=False)
        }
        assert set(last) == {("a", "grad_norm"), ("a", "cosine_b"), ("b", "grad_norm")}
        # after the last step: the network as it stands now; p = 10 / 11 of the run when that step began
        a, b = by_hand(stack, r, 11, 0.7 * (2 / (1 + np.exp(-10 * 10 / 11)) - 1))
        norms = np.linalg.norm(a), np.linalg.norm(b)
        assert last["a", "grad_norm"] == pytest.approx(norms[0], rel=1e-4)
        assert last["b", "grad_norm"] == pytest.approx(norms[1], rel=1e-4)
        assert last["a", "cosine_b"] == pytest.approx(a @ b / norms[0] / norms[1], abs=1e-4)
        # the three batches of the last epoch, each with its own mask, at the network as it stands now
        rates = table[table.metric == "conflict_rate"]
        assert set(rates.task) == {""} and sorted(rates.step) == [4, 8, 11]
        pairs = [by_hand(stack, r, n, 0.7 * (2 / (1 + np.exp(-10 * (n - 1) / 11)) - 1)) for n in (9, 10, 11)]
        assert rates.value.iloc[-1] == pytest.approx(sum(a @ b < 0 for a, b in pairs) / 3)


def test_conflicts_are_counted_in_the_last_eight_batches_among_the_pairs_that_are_there(tmp_path: Path) -> None:
    configs = [make_config(seed=s, trainer={"epochs": 1, "batch_size": 3, "log_gradients": True}) for s in (0, 3)]
    stack = make_stack(configs, missing=0.6)
    tables = train(stack, tmp_path)
    batches = list(stack.train.epoch(1))
    counts = np.zeros((2, 2))  # by run: conflicts, pairs
    trunk = stack.step.flat.shared_parameters
    for batch in batches[-8:]:
        losses = stack.network.losses(batch.x, batch.targets)
        own = [torch.autograd.grad(losses[:, t].sum(), trunk, retain_graph=True) for t in range(3)]
        for r in range(2):
            gradients = [torch.cat([g[r].flatten() for g in found]).double().numpy() for found in own]
            for i, j in ((0, 1), (0, 2), (1, 2)):
                if gradients[i].any() and gradients[j].any():
                    counts[r] += gradients[i] @ gradients[j] < 0, 1
    assert len(batches) > 10 and (counts[:, 0] > 0).all() and (counts[:, 1] < 24).all()
    for r, table in enumerate(tables):
        (rate,) = table.value[table.metric == "conflict_rate"]
        assert rate == pytest.approx(counts[r, 0] / counts[r, 1], abs=1e-12)


def test_a_task_without_a_label_or_with_a_stopped_gradient_has_no_cosine(tmp_path: Path) -> None:
    tasks = {"a": {"type": "regression"}, "b": {"type": "binary"}, "c": {"type": "regression"}}
    config = make_config(
        tasks, graph={"receives": {"b": {"trunk": "stop"}}}, trainer={"epochs": 1, "log_gradients": True}
    )
    dataset = make_dataset(config)
    dataset.targets["c"].observed[dataset.split.train[1:]] = False
    dataset.targets["c"].observed[dataset.split.train[:1]] = True
    stack = build_stack([config], [dataset])
    last = list(stack.train.epoch(1))[-1]
    assert not bool(last.targets.present[0, stack.network.tasks.index("c")])  # the draw of seed 0
    (table,) = train(stack, tmp_path)
    own = table[(table.split == "train") & (table.task != "")]
    assert not own.metric.str.startswith("cosine").any()
    norms = dict(own[own.metric == "grad_norm"][["task", "value"]].itertuples(index=False))
    assert set(norms) == {"a", "b"} and norms["a"] > 0 and norms["b"] == 0


def test_logging_changes_nothing_else(tmp_path: Path) -> None:
    tables = []
    for name, on in (("on", True), ("off", False)):
        config = make_config(trainer={"log_gradients": on, "importance": on}, model={"dropout": 0.2})
        tables += train(make_stack([config], missing=0.2), tmp_path / name)
    on, off = tables
    own = on.metric.str.startswith(("cosine", "conflict")) | ((on.metric == "grad_norm") & (on.task != ""))
    assert on[~own].reset_index(drop=True).equals(off)
    assert len(on) == len(off) + 3 * (3 + 3 + 1)  # epochs × (norms + pairs + rate)
    assert sorted(p.name for p in (tmp_path / "off/0").iterdir()) == ["checkpoints", "metrics.csv", "summary.json"]


# ---------------------------------------------------------------- noise


def first_gradients(stack: Stack, step: int = 0) -> torch.Tensor:
    stack.step(next(stack.train.epoch(1)), step)
    return stack.step.flat.gradients.double().clone()


def test_the_noise_is_so_many_times_as_long_as_the_trunks_gradient_and_leaves_the_rest_alone() -> None:
    levels = [0.0, 0.5, 1.0, 3.0]
    plain = first_gradients(make_stack([make_config(seed=s) for s in range(4)]))
    configs = [make_config(seed=s, trainer={"gradient_noise": level}) for s, level in enumerate(levels)]
    stack = make_stack(configs)
    shared = stack.step.flat.shared_size
    assert shared == 4 * 8 + 8 + 8 * 6 + 6
    added = first_gradients(stack) - plain
    assert torch.equal(added[0], torch.zeros_like(added[0])) and not added[:, shared:].any()
    ratios = added[:, :shared].norm(dim=1) / plain[:, :shared].norm(dim=1)
    assert ratios.tolist() == pytest.approx(levels, rel=1e-5)


def test_the_noise_is_gaussian_of_no_direction_and_new_in_every_step_and_seed() -> None:
    config = make_config(model={"hidden": [40, 40]}, trainer={"gradient_noise": 1.0}, lr={"base": 0.0})
    other = make_config(model={"hidden": [40, 40]}, trainer={"gradient_noise": 1.0}, lr={"base": 0.0}, seed=1)
    plain = first_gradients(make_stack([make_config(model={"hidden": [40, 40]}, lr={"base": 0.0})]))
    noise = [first_gradients(make_stack([config]), step) - plain for step in (0, 1, 0)]
    shared = 4 * 40 + 40 + 40 * 40 + 40
    one, two, again = (v[0, :shared] / v[0, :shared].norm() * shared**0.5 for v in noise)
    assert torch.equal(one, again)
    theirs = first_gradients(make_stack([other]))[0, :shared]
    for pair in ((one, two), (one, plain[0, :shared]), (one, theirs)):
        cosine = float(torch.corrcoef(torch.stack(pair))[0, 1])
        assert abs(cosine) < 4 / shared**0.5
    assert float(one.mean()) == pytest.approx(0, abs=4 / shared**0.5)
    assert float(one.pow(4).mean()) == pytest.approx(3, abs=4 * (96 / shared) ** 0.5)  # the fourth moment of N(0, 1)


def test_the_noise_comes_before_clipping_and_counts_in_the_logged_norm() -> None:
    config = make_config(trainer={"gradient_noise": 2.0, "clip": 1e-3})
    stack, free = make_stack([config]), make_stack([make_config(trainer={"gradient_noise": 2.0})])
    clipped, unclipped = first_gradients(stack), first_gradients(free)
    assert float(stack.step.gradient_norms()) == pytest.approx(float(unclipped.norm()), rel=1e-5)
    assert float(clipped.norm()) == pytest.approx(1e-3, rel=1e-2)
    torch.testing.assert_close(clipped / clipped.norm(), unclipped / unclipped.norm(), rtol=1e-4, atol=1e-6)


def test_a_run_with_noise_disturbs_no_bit_of_one_without() -> None:
    quiet = make_config(seed=3)
    pairs = [make_stack([quiet, make_config(seed=4, trainer={"gradient_noise": level})]) for level in (0.0, 1.0)]
    for stack in pairs:
        train_steps(stack, 10)
    one, two = (stack.step.flat.values for stack in pairs)
    assert torch.equal(one[0], two[0]) and not torch.equal(one[1], two[1])


@pytest.mark.parametrize("setting", [{"gradient_noise": 1}, {"log_gradients": True}])
def test_a_network_without_a_trunk_has_no_such_gradient(setting: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match=f"trainer.{next(iter(setting))}: the trunk has no parameters"):
        make_config(model={"hidden": []}, trainer=setting)
