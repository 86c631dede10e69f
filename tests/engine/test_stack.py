"""Runs side by side: each against itself alone, against its own bits in another company, and across interruptions."""

import dataclasses
import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from support import make_config, make_dataset, make_stack, train_in_folders, train_steps, with_own_labels
from torch import Tensor

from mtlrun.config.schema import Config
from mtlrun.data.dataset import Dataset
from mtlrun.data.split import Split
from mtlrun.engine import checkpoint
from mtlrun.engine.evaluate import Evaluation, Figures
from mtlrun.engine.loop import Training
from mtlrun.engine.member import Member
from mtlrun.engine.optimizer import clip
from mtlrun.engine.saving import Saver
from mtlrun.engine.stack import Stack
from mtlrun.engine.state import part_of
from mtlrun.model.layers import GradientScale, dropout_mask
from mtlrun.runs.build import build_stack
from mtlrun.runs.predictor import load
from mtlrun.storage.progress import Progress
from mtlrun.storage.writer import RunWriter
from mtlrun.util.errors import Interrupted

# ---------------------------------------------------------------- training in folders


def datasets_of(configs: Sequence[Config], **data: Any) -> list[Dataset]:
    """One table; each run has parts of its own, in sizes of their own that take equal steps."""
    found = []
    for r, config in enumerate(configs):
        dataset = make_dataset(config, **data)
        rows = np.concatenate([getattr(dataset.split, part) for part in ("train", "val", "test")])
        order = np.random.default_rng(config.seed).permutation(np.sort(rows))
        parts = np.split(order, [len(rows) * 6 // 10 - 2 * (r % 4), len(rows) * 8 // 10 + r % 3])
        own = dataclasses.replace(dataset, split=Split(*(np.sort(p) for p in parts)))
        found.append(with_own_labels(own, config))
    return found


class Quiet(Progress):
    """Shows nothing; does something after a given step."""

    def __init__(self, step: int | None = None, action: Any = None) -> None:
        super().__init__(0, [])
        self.at, self.action = step, action

    def step(self, step: int, losses: Any) -> None:
        if step == self.at:
            self.action()


def train(
    configs: Sequence[Config],
    datasets: Sequence[Dataset],
    folder: Path,
    quiet: Quiet | None = None,
    names: Sequence[int] | None = None,
    path: Path | None = None,
) -> list[dict[str, Any]]:
    """Trains a stack into numbered folders, or goes on with it; the summaries."""
    folders = [folder / str(n) for n in names or range(len(configs))]
    told: list[Path] = []

    def ended(members: list[Member]) -> None:
        told.extend(m.folder for m in members)

    done = [f for f in folders if (f / "summary.json").exists() and summary_of(f)["status"] in ("completed", "failed")]
    path = path or folder / f"stack{len(configs)}.pt"
    train_in_folders(configs, datasets, folders, path, 7, lambda *_: quiet or Quiet(), ended)
    assert sorted([*told, *done]) == sorted(folders)  # whoever waits is told of each run once
    return [summary_of(f) for f in folders]


def summary_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def metrics(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "metrics.csv", keep_default_na=False)


def parameters(stack: Stack, r: int) -> dict[str, torch.Tensor]:
    """The parameters of one run, by name."""
    columns = stack.step.columns()
    return dict(zip(columns, stack.step.flat.values[r].clone().split(list(columns.values())), strict=True))


def assert_same_bits(one: Path, two: Path) -> None:
    """Two runs' figures and checkpoints are the same, bit for bit."""
    assert (one / "metrics.csv").read_bytes() == (two / "metrics.csv").read_bytes()
    for key in ("status", "error", "figures", "best", "steps"):
        assert summary_of(one)[key] == summary_of(two)[key]
    if summary_of(one)["status"] == "completed":
        best = [checkpoint.load(d / "checkpoints" / "best.pt")["network"] for d in (one, two)]
        assert all(torch.equal(value, best[1][name]) for name, value in best[0].items())
        last = [checkpoint.load(d / "checkpoints" / "last.pt") for d in (one, two)]
        assert torch.equal(last[0]["values"], last[1]["values"])


# ---------------------------------------------------------------- a member against its solo run

TASKS = {
    "a": {"type": "regression", "loss": "huber"},
    "b": {"type": "binary", "class_weights": [1.0, 3.0]},
    "c": {"type": "categorical", "class_weights": "balanced"},
    "d": {"type": "regression", "loss": "l1"},
    "e": {"type": "regression"},
}
RECONSTRUCTED = {n: TASKS[n] for n in "abc"} | {"x": {"type": "reconstruction"}}
EDGES = ["stop", "pass", 0.3, -2.0, "reverse"]


def chains(what: str, schedule: str = "constant") -> list[dict[str, Any]]:
    """A chain through all tasks, with a gradient of its own in every run; the last two are reversals."""
    graphs = [{"name": "chain", "what": what, "gradient": g, "reverse": {"strength": 0.7}} for g in EDGES]
    graphs[-1]["reverse"] = {"strength": 0.7, "schedule": schedule}
    return [{"graph": graph} for graph in graphs]


def decays(**optimizer: Any) -> list[dict[str, Any]]:
    return [
        {"optimizer": optimizer | {"weight_decay": decay}, "loss": {"name": name}}
        for decay, name in ((0.0, "sum"), (0.1, "uncertainty"), (0.01, "sum"))
    ]


STRATEGIES: list[dict[str, Any]] = [
    {"loss": {"name": "fixed", "weights": {"a": 0.1, "c": 4.0}}},
    {"loss": {"name": "uncertainty"}},
    {"loss": {"name": "sum"}},
    {"loss": {"name": "uncertainty", "lr": 0.1, "init": -0.5}},
    {"loss": {"name": "fixed", "weights": {"b": 0.0}}},
]
POLICIES: list[dict[str, Any]] = [
    {"lr": {"base": 0.003}},
    {"lr": {"name": "per_head", "base": 0.01, "trunk": "0.1x"}},
    {"lr": {"name": "per_head", "base": 0.01, "trunk": 0.0, "heads": {"default": 0.02, "b": "0.5x"}}},
]
MEMBERS: dict[str, list[dict[str, Any]]] = {
    "strategies": STRATEGIES,
    "rates and policies": POLICIES,
    "cosine": [p | {"lr": p["lr"] | {"schedule": "cosine", "warmup": 4, "final": 0.1}} for p in POLICIES],
    "step": [p | {"lr": p["lr"] | {"schedule": "step", "decay_every": 1, "decay": 0.5}} for p in POLICIES],
    "adam, amsgrad": decays(name="adam", amsgrad=True),
    "adamw": decays(name="adamw"),
    "sgd, momentum": decays(name="sgd", momentum=0.9),
    "sgd, nesterov": decays(name="sgd", momentum=0.9, nesterov=True),
    "rmsprop": decays(name="rmsprop"),
    "rmsprop, centered": decays(name="rmsprop", centered=True, momentum=0.5, eps=1e-3),
    "clipping": [s | {"trainer": {"clip": c}} for s, c in zip(STRATEGIES, (None, 0.1, 1e-3, 5.0, None), strict=True)],
    "noise on gradients": [
        s | {"trainer": {"gradient_noise": g, "clip": c}}
        for s, g, c in zip(STRATEGIES, (0, 1, 0.3, 0, 5), (None, None, 0.1, 1, 1), strict=True)
    ],
    "gradients logged": [s | {"trainer": {"log_gradients": True}, "model": {"dropout": 0.3}} for s in STRATEGIES],
    "dropout": [s | {"model": {"dropout": 0.3}} for s in STRATEGIES],
    "ensembles": [
        s | g | {"model": {"name": "tabm", "members": 3, "dropout": 0.3}}
        for s, g in zip(STRATEGIES, chains("label", "ramp"), strict=True)
    ],
    "predictions": chains("prediction"),
    "predictions, one ramped": chains("prediction", "ramp"),
    "logits": chains("logits"),
    "embeddings, one ramped": chains("embedding", "ramp"),
    "labels": chains("label"),
    "reconstruction": [s | g | {"tasks": RECONSTRUCTED} for s, g in zip(STRATEGIES, chains("embedding"), strict=True)],
    "reconstructed estimates": [s | {"tasks": RECONSTRUCTED} for s in chains("prediction")],
    "trunk edges": [
        {
            "graph": {
                "receives": {"b": {"trunk": {"at": 1, "gradient": g}}, "a": {"trunk": "pass"}},
                "reverse": {"schedule": "ramp"},
            }
        }
        for g in EDGES
    ],
    "training labels": [
        {"tasks": {name: task | own.get(name, {}) for name, task in TASKS.items()}}
        for own in (
            {},
            {"a": {"shuffle": True}, "c": {"shuffle": True}},
            {"d": {"train_labels": 20}, "a": {"shuffle": True}},
            {"c": {"train_rows_of": "d"}, "d": {"train_labels": 20}, "b": {"train_labels": 30, "shuffle": True}},
        )
    ],
    **{
        f"sharing, {scheme['name']}": [
            s | g | {"sharing": scheme, "model": {"dropout": 0.3}}
            for s, g in zip(STRATEGIES, chains("embedding", "ramp"), strict=True)
        ]
        for scheme in (
            {"name": "mmoe", "experts": 3},
            {"name": "cgc"},
            {"name": "ple", "shared_experts": 1},
            {"name": "groups", "groups": [["d", "a"], ["b"]]},
        )
    },
    "stitches": [
        s | {"sharing": {"name": "cross_stitch", "own": 0.8 - 0.1 * r, "rate": 10.0**r}} for r, s in enumerate(POLICIES)
    ],
    "targets in raw units": [s | {"data": {"standardize_targets": False}} for s in chains("prediction")[:3]],
}


def members(kind: str) -> list[Config]:
    """Runs with seeds, hence splits, of their own, that take 20 steps."""
    found = []
    for r, settings in enumerate(MEMBERS[kind]):
        trainer = {"max_steps": 20, "epochs": 10, "patience": None} | settings.get("trainer", {})
        found.append(make_config(**({"tasks": TASKS, "seed": r} | settings | {"trainer": trainer})))
    return found


def trained(configs: Sequence[Config], datasets: Sequence[Dataset], folder: Path) -> Stack:
    stack = build_stack(configs, datasets)
    folders = [folder / str(r) for r in range(len(configs))]
    summaries = [{"settings": {}, "status": "running"} for _ in configs]
    training = Training(stack, folders, summaries, folder / "stack.pt", None, lambda line: None)
    training.train(Quiet())
    assert training.state.step == 20
    return stack


@pytest.mark.parametrize("kind", MEMBERS)
def test_a_member_equals_its_solo_run_after_20_steps(tmp_path: Path, kind: str) -> None:
    assert_members_equal_their_solo_runs(tmp_path, members(kind), missing=0.3, weighted=True)


def test_a_member_with_shuffled_labels_equals_its_solo_run_where_no_label_is_missing(tmp_path: Path) -> None:
    configs = members("training labels")[:2]
    assert_members_equal_their_solo_runs(tmp_path, configs)
    assert build_stack(configs, datasets_of(configs)).train.rows.complete


def assert_members_equal_their_solo_runs(tmp_path: Path, configs: Sequence[Config], **data: Any) -> None:
    datasets = datasets_of(configs, **data)
    assert len({len(d.split.val) for d in datasets}) > 1 and len({len(d.split.train) for d in datasets}) > 1
    together = trained(configs, datasets, tmp_path / "stack")
    for r, (config, dataset) in enumerate(zip(configs, datasets, strict=True)):
        stack = trained([config], [dataset], tmp_path / f"alone{r}")
        alone, member = parameters(stack, 0), parameters(together, r)
        scale = max(float(value.abs().max()) for value in alone.values())
        for name, value in alone.items():
            torch.testing.assert_close(member[name], value, rtol=1e-5, atol=1e-5 * scale, msg=f"run {r}, {name}")
        one, two = metrics(tmp_path / f"alone{r}" / "0"), metrics(tmp_path / "stack" / str(r))
        key = ["epoch", "step", "split", "task", "metric"]
        assert one[key].equals(two[key])
        # ranks jump where two scores are all but equal
        smooth = ~one.metric.isin(["accuracy", "auroc", "auprc", "ece", "coverage_90"])
        np.testing.assert_allclose(two.value[smooth], one.value[smooth], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(two.value, one.value, rtol=1e-4, atol=0.1)


@pytest.mark.slow
def test_figures_after_1000_steps_are_those_of_solo_runs(tmp_path: Path) -> None:
    configs = [
        make_config(
            {"a": {"type": "regression"}, "b": {"type": "binary"}},
            seed=s,
            lr={"base": 1e-3},
            model={"hidden": [8], "head_hidden": [5]},
            trainer={"epochs": 30, "max_steps": 1000, "patience": None},
        )
        for s in range(8)
    ]
    datasets = [make_dataset(c, rows=1200) for c in configs]
    together = train(configs, datasets, tmp_path / "stack")
    largest = []
    for r in range(8):
        (alone,) = train(configs[r : r + 1], datasets[r : r + 1], tmp_path / f"alone{r}")
        assert alone["steps"] == together[r]["steps"] == 1000
        figures = together[r]["figures"]
        assert figures.keys() == alone["figures"].keys()
        largest.append(max(abs(figures[name] - value) for name, value in alone["figures"].items()))
    assert np.median(largest) < 1e-4 and max(largest) < 1e-2


def test_a_member_writes_the_files_of_its_solo_run(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    losses = [{"name": "sum"}, {"name": "uncertainty"}, {"name": "fixed", "weights": {"a": 2}}]
    trainer = {"tensorboard": True, "epochs": 40, "patience": 3}
    configs = [make_config(seed=r, loss=loss, lr={"base": 0.1}, trainer=trainer) for r, loss in enumerate(losses)]
    datasets = datasets_of(configs)
    began = time.monotonic()
    together = train(configs, datasets, tmp_path / "stack")
    wall = time.monotonic() - began
    assert len({s["steps"] for s in together}) > 1  # patience ends each at a time of its own
    for r, summary in enumerate(together):
        (alone,) = train(configs[r : r + 1], datasets[r : r + 1], tmp_path / "alone", names=[r])
        one, two = tmp_path / "alone" / str(r), tmp_path / "stack" / str(r)
        assert summary["stack"] == {"id": 7, "size": 3} and summary.keys() == alone.keys()
        assert summary["seconds"] == pytest.approx(together[0]["seconds"], rel=0.2) and 3 * summary["seconds"] < wall
        for key in ("status", "error", "seed", "settings", "config_hash", "data_hash", "trivial", "steps"):
            assert summary[key] == pytest.approx(alone[key]) if key == "trivial" else summary[key] == alone[key]
        assert {k: v for k, v in summary["best"].items() if k != "value"} | {"value": 0} == alone["best"] | {"value": 0}
        assert summary["best"]["value"] == pytest.approx(alone["best"]["value"], abs=1e-4)
        for name, value in alone["figures"].items():
            assert summary["figures"][name] == pytest.approx(value, rel=1e-3, abs=1e-3)
        assert sorted(p.name.split(".")[0] for p in one.rglob("*")) == sorted(
            p.name.split(".")[0] for p in two.rglob("*")
        )
        events = EventAccumulator(str(two), size_guidance={"scalars": 0}).Reload()
        table = metrics(two)
        for (split, task, metric), rows in table.groupby(["split", "task", "metric"]):
            logged = events.Scalars(f"{split}/{task}/{metric}" if task else f"{split}/{metric}")
            assert [e.step for e in logged] == rows.step.tolist()
            np.testing.assert_allclose([e.value for e in logged], rows.value, rtol=1e-6)


def test_the_model_of_a_member_predicts_as_the_member_did(tmp_path: Path) -> None:
    configs = [make_config(seed=r, loss={"name": n}) for r, n in enumerate(("uncertainty", "sum"))]
    datasets = datasets_of(configs)
    for r, summary in enumerate(train(configs, datasets, tmp_path)):
        dataset = datasets[r]
        rows = dataset.split.test
        frame = pd.DataFrame(dataset.numeric[rows], columns=[c.name for c in dataset.spec.columns])
        found = load(tmp_path / str(r)).predict(frame)
        error = found["a"] - dataset.targets["a"].values[rows]
        assert np.sqrt((error**2).mean()) == pytest.approx(summary["figures"]["test/a/rmse"], rel=1e-5)
        for task in "bc":
            right = found[task].to_numpy() == dataset.targets[task].values[rows].astype(int)
            assert right.mean() == pytest.approx(summary["figures"][f"test/{task}/accuracy"])


# ---------------------------------------------------------------- members that end before the others

ORDINARY = {"lr": {"base": 0.02}}
DIVERGING: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # what all have, and what diverges
    "rate": ({"optimizer": {"name": "sgd"}}, {"lr": {"base": 1e30}}),
    "rate, with momentum, decay and dropout": (
        {"optimizer": {"name": "sgd", "momentum": 0.9, "weight_decay": 0.01}, "model": {"dropout": 0.2}},
        {"lr": {"base": 1e30}},
    ),
    "rate, adamw with clipping": (
        {"optimizer": {"name": "adamw", "weight_decay": 0.1}, "trainer": {"clip": 1.0}},
        {"lr": {"base": 1e38}},
    ),
    "weight": (
        {"optimizer": {"name": "sgd"}, "loss": {"name": "fixed"}},
        {"loss": {"name": "fixed", "weights": {"b": 3e38}}},
    ),
    "rate, rmsprop in a chain": (
        {"optimizer": {"name": "rmsprop"}, "graph": {"name": "chain", "gradient": "pass"}},
        {"lr": {"base": 1e30}},
    ),
}


@pytest.mark.parametrize("kind", DIVERGING)
def test_a_member_that_diverges_fails_as_alone_and_disturbs_no_bit_of_the_others(tmp_path: Path, kind: str) -> None:
    common, bad = DIVERGING[kind]
    settings = [ORDINARY | common, ORDINARY | common, {"lr": {"base": 0.01}} | common]
    if kind == "rate":
        settings[2] = settings[2] | {"loss": {"name": "uncertainty"}}
    configs = [make_config(seed=r, **s) for r, s in enumerate(settings)]
    odd = [configs[0], make_config(seed=1, **(settings[1] | bad)), configs[2]]
    datasets = datasets_of(configs, missing=0.2)
    well = train(configs, datasets, tmp_path / "well")
    ill = train(odd, datasets, tmp_path / "ill")
    (alone,) = train(odd[1:2], datasets[1:2], tmp_path / "alone")
    assert [s["status"] for s in well] == ["completed"] * 3
    assert [s["status"] for s in ill] == ["completed", "failed", "completed"]
    assert "diverged: " in ill[1]["error"] and ill[1]["error"] == alone["error"]
    assert ill[1]["steps"] == alone["steps"] and ill[1]["figures"] == {}
    assert not (tmp_path / "ill/1/checkpoints").exists()
    assert alone["error"] in (tmp_path / "ill/1/run.log").read_text()
    for r in "02":
        assert_same_bits(tmp_path / "well" / r, tmp_path / "ill" / r)


def test_a_member_that_stops_early_disturbs_no_bit_of_the_others(tmp_path: Path) -> None:
    def configs(rate: float) -> list[Config]:
        rates = (1e-2, rate, 5e-3)
        return [
            make_config(seed=r, lr={"base": b}, loss={"name": n}, trainer={"epochs": 9, "patience": 2})
            for r, (b, n) in enumerate(zip(rates, ("sum", "uncertainty", "sum"), strict=True))
        ]

    datasets = datasets_of(configs(1e-2), missing=0.2, rows=420)
    long = train(configs(1e-2), datasets, tmp_path / "long")
    short = train(configs(0.0), datasets, tmp_path / "short")  # nothing learnt, nothing better than the first epoch
    assert [s["steps"] for s in long] == [135, 135, 135]
    assert [s["steps"] for s in short] == [135, 45, 135] and short[1]["best"]["step"] == 15
    for r in "02":
        assert_same_bits(tmp_path / "long" / r, tmp_path / "short" / r)
    (alone,) = train(configs(0.0)[1:2], datasets[1:2], tmp_path / "alone")
    assert alone["steps"] == 45


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adam": {"name": "adam", "weight_decay": 0.1},
    "amsgrad": {"name": "adam", "amsgrad": True},
    "adamw": {"name": "adamw", "weight_decay": 0.1},
    "sgd": {"name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    "rmsprop": {"name": "rmsprop", "centered": True, "momentum": 0.5, "weight_decay": 0.1},
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_frozen_member_keeps_every_bit(optimizer: str) -> None:
    losses = ("uncertainty", "uncertainty", "sum")
    configs = [make_config(seed=r, optimizer=OPTIMIZERS[optimizer], loss={"name": n}) for r, n in enumerate(losses)]
    free, stack = make_stack(configs, missing=0.2), make_stack(configs, missing=0.2)
    for s in (free, stack):
        train_steps(s, 3)
        s.step.flat.values[1, :40], s.step.flat.values[1, 40:50] = torch.nan, torch.inf
    before = stack.step.flat.values.clone().view(torch.int32)
    stack.step.guard.active = torch.tensor([[True], [False], [True]])
    for s in (free, stack):
        train_steps(s, 6, start=3)
    after = stack.step.flat.values.view(torch.int32)
    assert torch.equal(after[1], before[1])
    assert torch.equal(free.step.flat.values.view(torch.int32)[1], before[1])  # nor does what is not finite move it
    for r in (0, 2):
        assert torch.equal(after[r], free.step.flat.values.view(torch.int32)[r]) and not torch.equal(
            after[r], before[r]
        )


def test_a_frozen_member_s_strategy_is_not_started_any_more() -> None:
    stack = make_stack([make_config(seed=r, loss={"name": "uncertainty"}) for r in (0, 1)])
    stack.step.guard.active = torch.tensor([[True], [False]])
    train_steps(stack, 1)
    names = list(stack.step.columns())
    frozen, active = (parameters(stack, r)[names[-1]] for r in (1, 0))
    assert (frozen == 0).all() and (active != 0).all()


def test_a_norm_beyond_float32_clips_nothing_where_there_is_no_bound() -> None:
    gradients = torch.tensor([[3e38, -3e38], [3e38, 1.0]])
    clip(gradients, torch.linalg.vector_norm(gradients, dim=1), torch.tensor([torch.inf, 1.0]))
    assert gradients.tolist() == [[pytest.approx(3e38), pytest.approx(-3e38)], [0.0, 0.0]]


def test_a_stopped_gradient_is_nothing_also_where_it_is_not_finite() -> None:
    """As for a run alone, where a stopped edge is detached."""
    scale = GradientScale([0.0, 1.0, 0.5], [False] * 3)
    x = torch.ones(3, 2, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad((scale(x) * torch.inf).sum(), x)
    assert (gradient[0] == 0).all() and (gradient[1:] == torch.inf).all()


def test_dropout_masks_are_those_of_solo_runs_with_every_place_dropped_alike() -> None:
    for rate in (0.05, 0.3, 0.5, 0.999):
        masks = dropout_mask([3, 4, 5], 2, "trunk.layer2", (999, 41), rate)
        assert masks.shape == (3, 999, 41) and masks.is_contiguous()
        for r, seed in enumerate((3, 4, 5)):
            assert torch.equal(masks[r], dropout_mask([seed], 2, "trunk.layer2", (999, 41), rate)[0])
        dropped = (masks == 0).flatten(1)
        for lane in range(4):  # of one draw
            share = dropped[:, lane::4].double().mean().item()
            assert share == pytest.approx(rate, abs=5 * np.sqrt(rate * (1 - rate) / (dropped.numel() / 4)))
        neighbours = (dropped[:, :-1:4] & dropped[:, 1::4][:, : dropped[:, :-1:4].shape[1]]).double().mean().item()
        assert neighbours == pytest.approx(rate**2, abs=0.02)


# ---------------------------------------------------------------- interrupted, killed, cut in two


def crew() -> list[Config]:
    """A run that stops early, two that do not, and one that fails."""
    settings: list[dict[str, Any]] = [
        {"lr": {"base": 0.0}},
        {"lr": {"base": 1e-3}, "loss": {"name": "uncertainty"}},
        {"lr": {"base": 1e-3}, "loss": {"name": "fixed", "weights": {"a": 0.5}}},
        {"lr": {"base": 1e30}},
    ]
    common = {"optimizer": {"name": "sgd", "momentum": 0.9}, "model": {"dropout": 0.2}}
    trainer = {"epochs": 6, "patience": 2}
    return [make_config(seed=r, trainer=trainer, **common, **s) for r, s in enumerate(settings)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of the crew, trained without a break: four steps an epoch, run 0 ends after 12, run 3 after 2."""
    folder = tmp_path_factory.mktemp("whole")
    summaries = train(crew(), datasets_of(crew(), missing=0.2), folder)
    assert [s["status"] for s in summaries] == ["completed"] * 3 + ["failed"]
    assert [s["steps"] for s in summaries] == [12, 24, 24, 2]
    return folder


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    """What changes when a file is written: its inode and time."""
    return {str(p): (p.stat().st_ino, p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


class Killed(BaseException):
    """Ends a test's training at once, as kill -9 would: nothing is recorded."""


def kill() -> None:
    raise Killed


@pytest.mark.parametrize("step", [1, 3, 4, 5, 12, 13, 16, 22, 24])
def test_an_interrupted_stack_goes_on_bit_for_bit(tmp_path: Path, whole: Path, step: int) -> None:
    datasets = datasets_of(crew(), missing=0.2)
    with pytest.raises(Interrupted):
        train(crew(), datasets, tmp_path, Quiet(step, lambda: os.kill(os.getpid(), signal.SIGINT)))
    statuses = [summary_of(tmp_path / str(r))["status"] for r in range(4)]
    assert statuses[1:3] == ["interrupted"] * 2
    assert statuses[0] == ("completed" if step > 12 else "interrupted")
    assert statuses[3] == ("failed" if step > 1 else "interrupted")
    ended = [tmp_path / str(r) for r, status in enumerate(statuses) if status != "interrupted"]
    before = {f: files_of(f) for f in ended}
    train(crew(), datasets, tmp_path)
    assert {f: files_of(f) for f in ended} == before
    for r in "0123":
        assert_same_bits(whole / r, tmp_path / r)


@pytest.mark.parametrize("checkpoints", ["never", "after the first epoch", "after every epoch"])
@pytest.mark.parametrize(
    "moment", ["step 14", "summary of run 0", "summary of run 2", "best.pt of run 2", "rows of run 2"]
)
def test_a_stack_that_was_killed_ends_as_if_it_had_not_been(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, checkpoints: str, moment: str
) -> None:
    due = {"never": lambda self: False, "after the first epoch": lambda self: self.state.epoch == 2}
    monkeypatch.setattr(Saver, "due", due.get(checkpoints, lambda self: True))
    datasets, quiet = datasets_of(crew(), missing=0.2), Quiet()
    with monkeypatch.context() as patch:
        run = tmp_path / moment[-1]
        if moment == "step 14":
            quiet = Quiet(14, kill)
        elif moment.startswith("summary"):
            write = RunWriter.summary

            def summary(self: RunWriter, tree: dict[str, Any]) -> None:
                return kill() if self.folder == run and tree["status"] == "completed" else write(self, tree)

            patch.setattr(RunWriter, "summary", summary)
        elif moment.startswith("best.pt"):
            save = checkpoint.save
            patch.setattr(
                checkpoint, "save", lambda p, t, durable=False: kill() if p.parent.parent == run else save(p, t)
            )
        else:
            rows = RunWriter.rows

            def some(self: RunWriter, given: Sequence[Any]) -> None:
                rows(self, given[:3])  # a part of them is written
                if self.folder == run and given[0][2] == "test":
                    kill()
                rows(self, given[3:])

            patch.setattr(RunWriter, "rows", some)
        with pytest.raises(Killed):
            train(crew(), datasets, tmp_path, quiet)
    assert (tmp_path / "stack4.pt").exists() == (checkpoints != "never")
    ended = [f for f in map(tmp_path.joinpath, "0123") if summary_of(f)["status"] in ("completed", "failed")]
    assert len(ended) == {"step 14": 2, "summary of run 0": 1}.get(moment, 3 if moment != "best.pt of run 2" else 2)
    before = {f: files_of(f) for f in ended}
    train(crew(), datasets, tmp_path)
    assert {f: files_of(f) for f in ended} == before
    for r in "0123":
        assert_same_bits(whole / r, tmp_path / r)


@pytest.mark.parametrize("name", ["last.pt", "summary"])
def test_a_run_that_was_killed_after_its_last_epoch_takes_no_further_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Alone, the checkpoint that it goes on from is the last.pt that it leaves behind."""
    config = crew()[:1]
    datasets = datasets_of(config)
    path = tmp_path / "0/checkpoints/last.pt"
    (whole,) = train(config, datasets, tmp_path / "whole", path=tmp_path / "whole/0/checkpoints/last.pt")
    with monkeypatch.context() as patch:
        patch.setattr(Saver, "due", lambda self: False)
        method = "rows" if name == "last.pt" else "summary"
        write = getattr(RunWriter, method)
        patch.setattr(RunWriter, method, lambda self, what: kill() if path.exists() else write(self, what))
        with pytest.raises(Killed):
            train(config, datasets, tmp_path, path=path)
    assert summary_of(tmp_path / "0")["status"] == "running" and path.exists()
    (resumed,) = train(config, datasets, tmp_path, path=path)
    assert resumed["steps"] == whole["steps"] == 12
    assert_same_bits(tmp_path / "whole/0", tmp_path / "0")


def test_a_figure_of_test_that_is_not_finite_is_left_out_and_ends_nobody_else(tmp_path: Path) -> None:
    configs = [make_config(seed=r) for r in range(2)]
    stack = build_stack(configs, datasets_of(configs))

    class Overflowing(Evaluation):
        def __call__(self, outputs: Sequence[Tensor] | None = None) -> list[Figures]:
            found = super().__call__(outputs)
            return [found[0] | {("a", "loss"): np.inf}, found[1]]

    stack.test.__class__ = Overflowing
    folders = [tmp_path / "0", tmp_path / "1"]
    summaries = [{"settings": {}, "status": "running"} for _ in configs]
    done = Training(stack, folders, summaries, tmp_path / "stack.pt").train(Quiet())
    assert [s["status"] for s in done] == ["completed"] * 2
    assert set(done[1]["figures"]) - set(done[0]["figures"]) == {"test/a/loss"}
    assert not np.isinf(metrics(folders[0]).value).any()


@pytest.mark.parametrize("middle", [1, 2, 3])
def test_the_parts_of_a_stack_go_on_from_its_checkpoint(tmp_path: Path, middle: int) -> None:
    """Of mixed strategies, one of which may be in one part only, in another order than in the whole."""
    names = ("sum", "uncertainty", "uncertainty", "fixed")
    common = {"optimizer": {"amsgrad": True}, "model": {"dropout": 0.2}, "trainer": {"patience": None}}
    configs = [make_config(seed=r, loss={"name": n}, lr={"base": 2e-3}, **common) for r, n in enumerate(names)]
    datasets = datasets_of(configs, missing=0.2)
    summaries = train(configs, datasets, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(configs, datasets, tmp_path, Quiet(6, lambda: os.kill(os.getpid(), signal.SIGINT)))
    state = checkpoint.load(tmp_path / "stack4.pt")
    for runs in (slice(0, middle), slice(middle, 4)):
        numbers = list(range(4))[runs]
        checkpoint.save(tmp_path / f"stack{len(numbers)}.pt", part_of(state, runs))
        halves = train(configs[runs], datasets[runs], tmp_path, names=numbers)
        (tmp_path / f"stack{len(numbers)}.pt").unlink()
        for r, half in zip(numbers, halves, strict=True):
            assert half["steps"] == summaries[r]["steps"] == 12 and half["stack"]["size"] == len(numbers)
            for name, value in summaries[r]["figures"].items():
                assert half["figures"][name] == pytest.approx(value, rel=1e-4, abs=1e-4)
            one, two = (checkpoint.load(f / str(r) / "checkpoints/last.pt") for f in (tmp_path / "whole", tmp_path))
            columns = [
                dict(zip(t["columns"], t["values"].split(list(t["columns"].values()), 1), strict=True))
                for t in (one, two)
            ]
            for name, value in columns[1].items():
                torch.testing.assert_close(value, columns[0][name], rtol=1e-5, atol=1e-5)
            key = ["epoch", "step", "split", "task", "metric"]
            assert metrics(tmp_path / str(r))[key].equals(metrics(tmp_path / "whole" / str(r))[key])
