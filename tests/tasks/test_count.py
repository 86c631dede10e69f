"""Counts: the loss, figures and noise against independent code, and every command from the table to the comparison."""

import csv
import json
import math
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from commands import main
from sklearn import metrics as reference
from sklearn.ensemble import HistGradientBoostingRegressor

from mtlrun.compare.analysis.scores import score
from mtlrun.data.dataset import load_dataset
from mtlrun.runs import predictor
from mtlrun.runs.build import build_stack
from mtlrun.tasks import Count
from mtlrun.tasks.count import CountTrees, half_deviance
from tests.support import make_config, make_dataset, make_stack, train_steps

SMALL = [
    "data=visits",
    "trainer.epochs=6",
    "trainer.batch_size=50",
    "trainer.threads=1",
    "trainer.tensorboard=false",
    "model.hidden=[16]",
    "model.head_hidden=[8]",
    "lr.base=0.01",
    "data.split.seed=0",
]
BOOSTED = ["data=visits", "model=boosting", "model.iterations=30", "data.split.seed=0", "trainer.tensorboard=false"]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---------------------------------------------------------------- the loss and what is made of it


def test_the_loss_is_torch_s_less_that_of_the_best_rate() -> None:
    outputs = (2 * normal(3, 40, 2, 1)).requires_grad_()
    counts = torch.poisson(normal(3, 40, 2, seed=1).exp(), generator=torch.Generator().manual_seed(2))
    assert (counts == 0).any() and counts.max() > 5
    ours = Count("poisson", [1.0, 1.0], [0, 0]).row_losses(outputs, counts)
    theirs = torch.nn.PoissonNLLLoss(log_input=True, full=False, reduction="none")(outputs[..., 0], counts)
    least = counts - torch.xlogy(counts, counts)  # torch's loss at the rate y
    torch.testing.assert_close(ours, theirs - least, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(v.sum(), outputs)[0] for v in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)
    assert (ours >= 0).all()


def test_large_counts_keep_their_digits_in_float32() -> None:
    counts = torch.tensor([1.0, 1e3, 1e6])
    outputs = (counts.log() + torch.tensor([0.01, -0.01, 0.01])).requires_grad_()
    ours = half_deviance(outputs, counts)
    y, mean = counts.double(), outputs.detach().double().exp()
    exact = y * torch.log(y / mean) - y + mean
    torch.testing.assert_close(ours.double(), exact, rtol=2e-3, atol=0)
    assert torch.autograd.grad(ours.sum(), outputs)[0].isfinite().all()


def test_figures_are_those_of_scikit_learn() -> None:
    outputs, weights = normal(2, 50, 1), torch.rand(2, 50, generator=torch.Generator().manual_seed(1)).double()
    weights[:, ::5] = 0
    counts = torch.poisson(normal(2, 50, seed=3).exp(), generator=torch.Generator().manual_seed(4))
    figures = Count.metrics(outputs, counts, weights, torch.ones(2))
    for r in range(2):
        y, rate, w = counts[r].numpy(), outputs[r, :, 0].exp().numpy(), weights[r].numpy()
        expected = {
            "deviance": reference.mean_poisson_deviance(y, rate, sample_weight=w),
            "rmse": reference.root_mean_squared_error(y, rate, sample_weight=w),
            "mae": reference.mean_absolute_error(y, rate, sample_weight=w),
        }
        assert {name: float(value[r]) for name, value in figures.items()} == pytest.approx(expected, rel=1e-10)


def test_the_trivial_predictor_has_the_least_loss_of_all_constants() -> None:
    counts, weights = np.array([0.0, 3, 1, 7]), np.array([1.0, 2, 1, 0.5])
    best = Count.constant(counts, weights, 0)
    assert Count.predicted(best[None], 0) == pytest.approx(np.average(counts, weights=weights))

    def loss(output: float) -> float:
        rows = half_deviance(torch.full((4,), output).double(), torch.from_numpy(counts))
        return float((rows * torch.from_numpy(weights)).sum())

    assert loss(best[0]) < min(loss(best[0] - 0.01), loss(best[0] + 0.01))


@pytest.mark.parametrize("rate", [5.0, 20.0])
def test_an_observed_label_is_passed_on_as_the_output_is(rate: float) -> None:
    """Its mean is the log of the rate but for terms of 1/rate²; that of the log of y itself is not."""
    kind = Count("poisson", [1.0], [0])
    counts = torch.from_numpy(np.random.default_rng(0).poisson(rate, 200_000).astype(float))
    features = kind.label_features(counts[None], 0)
    assert features.shape == (1, 200_000, 1)
    assert float(features.mean()) == pytest.approx(math.log(rate), abs=1 / rate**2)


def test_the_learnt_noise_is_the_dispersion() -> None:
    """Extended quasi-likelihood: with the factors of the loss, e^s has its optimum at the mean deviance."""
    a, c = Count.declared.losses["poisson"].noise
    random = np.random.default_rng(0)
    counts = random.negative_binomial(4, 4 / (4 + 20), size=50_000)  # mean 20, variance 20 (1 + 20/4)
    half = half_deviance(torch.tensor(20.0).double().log(), torch.from_numpy(counts).double()).mean()
    assert a * float(half) / c == pytest.approx(reference.mean_poisson_deviance(counts, np.full(50_000, 20.0)))


@pytest.mark.parametrize("what", ["prediction", "logits", "embedding", "label"])
def test_another_task_may_receive_it(what: str) -> None:
    tasks = {"a": {"type": "count"}, "b": {"type": "regression"}, "c": {"type": "count"}}
    receives = {"b": {"a": {"gradient": "pass", "what": what}}}
    stack = make_stack([make_config(tasks, seed=s, graph={"receives": receives}) for s in (0, 1)], missing=0.2)
    before = [figures["a", "loss"] for figures in stack.val()]
    train_steps(stack, 60)
    after = [figures["a", "loss"] for figures in stack.val()]
    assert all(0 < late < early for early, late in zip(before, after, strict=True))


@pytest.mark.parametrize("head_hidden", [[], [400]])
def test_a_head_starts_at_the_log_of_the_mean_label_of_its_run(head_hidden: list[int]) -> None:
    tasks = {"a": {"type": "count"}, "b": {"type": "regression"}, "c": {"type": "count"}}
    model = {"name": "mlp", "hidden": [400], "head_hidden": head_hidden}
    configs = [make_config(tasks, seed=s, model=model) for s in (0, 1)]
    datasets = [make_dataset(config, missing=0.2) for config in configs]
    for dataset in datasets:
        dataset.targets["c"].values[:] *= 1000
    stack = build_stack(configs, datasets)
    for task in tasks:
        for r, dataset in enumerate(datasets):
            target, train = dataset.targets[task], dataset.split.train
            mean = target.values[train[target.observed[train]]].mean()
            start = float(stack.network.task_parameters(task)[-1][r].detach().flatten()[0]) - (task != "b") * np.log(
                mean
            )
            assert abs(start) <= 1 / np.sqrt(400)  # the bound of drawn values


# ---------------------------------------------------------------- the commands


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 400 rows with a count, a number and gaps in the counts, as data=visits, and what is trained on it."""
    folder = tmp_path_factory.mktemp("visits")
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 3))
    events = random.poisson(np.exp(0.8 + x[:, 0] - 0.5 * x[:, 1])).astype(float)
    events[::17] = np.nan
    amount = x[:, 0] + x[:, 2] + 0.3 * random.normal(size=400)
    table = pd.DataFrame({"x0": x[:, 0], "x1": x[:, 1], "x2": x[:, 2], "events": events, "amount": amount})
    table.to_csv(folder / "visits.csv", index=False)
    (folder / "conf/data").mkdir(parents=True)
    (folder / "conf/data/visits.yaml").write_text(
        "# @package _global_\ndata: {path: visits.csv}\n"
        "tasks: {events: {type: count, unit: visits}, amount: {type: regression}}\n"
    )
    before = os.getcwd()
    os.chdir(folder)
    try:
        assert main(["-m", *SMALL, "seed=0,1", "hydra.launcher.processes=1", "hydra.sweep.dir=s"]) == 0
        assert main([*SMALL, "seed=1", "hydra.run.dir=solo"]) == 0
        assert main([*BOOSTED, "hydra.run.dir=trees"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(visits: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(visits)
    return visits


def summary(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(folder, "summary.json").read_text())
    return found


def test_it_learns_and_a_stack_s_figures_are_the_solo_run_s(here: Path) -> None:
    stacked, solo = summary("s/001_seed=1"), summary("solo")
    assert (stacked["stack"]["size"], solo["stack"]["size"]) == (2, 1)
    assert stacked["figures"] == pytest.approx(solo["figures"], rel=1e-4)
    assert {"test/events/deviance", "test/events/rmse", "test/events/mae"} <= stacked["figures"].keys()
    assert solo["figures"]["test/events/deviance"] < 0.6 * solo["trivial"]["test/events/deviance"]
    labels = load_dataset(predictor.load("solo").config)
    target, split = labels.targets["events"], labels.split
    train, test = (target.values[rows][target.observed[rows]] for rows in (split.train, split.test))
    trivial = reference.mean_poisson_deviance(test, np.full(len(test), train.mean()))
    assert solo["trivial"]["test/events/deviance"] == pytest.approx(trivial, rel=1e-5)


@pytest.mark.parametrize("run", ["solo", "trees"])
def test_predictions_are_expected_counts_of_which_the_figures_are_made(run: str, here: Path) -> None:
    assert main(["predict", run, "visits.csv", "-o", f"{run}.csv"]) == 0
    found, table = pd.read_csv(f"{run}.csv"), pd.read_csv("visits.csv")
    assert list(found) == ["events", "amount"] and (found.events > 0).all()
    test = load_dataset(predictor.load(run).config).split.test
    known = test[table.events[test].notna()]
    deviance = reference.mean_poisson_deviance(table.events[known], found.events[known])
    assert summary(run)["figures"]["test/events/deviance"] == pytest.approx(deviance, rel=1e-4)


def test_trees_are_those_of_scikit_learn_by_hand(here: Path) -> None:
    dataset = load_dataset(predictor.load("trees").config)
    target, x = dataset.targets["events"], dataset.numeric
    train, val = (rows[target.observed[rows]] for rows in (dataset.split.train, dataset.split.val))
    y = target.values
    settings = {"loss": "poisson", "max_iter": 30, "early_stopping": False}
    model = HistGradientBoostingRegressor(**settings).fit(x[train], y[train])
    course = [reference.mean_poisson_deviance(y[val], rate) / 2 for rate in model.staged_predict(x[val])]
    trained = [reference.mean_poisson_deviance(y[train], rate) / 2 for rate in model.staged_predict(x[train])]
    with open("trees/metrics.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["task"], row["metric"]) == ("events", "loss")]
    for split, expected in (("val", course), ("train", trained)):
        own = [float(row["value"]) for row in rows if row["split"] == split]
        np.testing.assert_allclose(own, expected[: len(own)], rtol=1e-5)
    assert summary("trees")["best"]["iterations"]["events"] == int(np.argmin(course)) + 1
    assert CountTrees("poisson").outputs(np.array([2.0]), model, 0, 1) == pytest.approx(np.log([[2.0]]))


def test_trees_train_to_their_end_where_every_count_of_val_is_0(here: Path) -> None:
    table = pd.read_csv("visits.csv").assign(part=["train", "val", "test", "train"] * 100)
    table.loc[table.part == "val", "events"] = 0
    table.to_csv("no_events_in_val.csv", index=False)
    words = [*BOOSTED, "only=[events]", "data.path=no_events_in_val.csv", "data.split.column=part"]
    assert main([*words, "model.iterations=20", "trainer.patience=2", "hydra.run.dir=no_events"]) == 0
    assert summary("no_events")["steps"] == 20


def test_an_exported_model_gives_the_expected_counts(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    assert main(["export", "solo", "-o", "model.onnx"]) == 0
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    table = pd.read_csv("visits.csv")
    feeds = {name: table[[name]].to_numpy(dtype=np.float64) for name in ("x0", "x1", "x2")}
    expected = predictor.load("solo").predict(table)
    np.testing.assert_allclose(session.run(["events"], feeds)[0], expected.events, rtol=1e-5)
    np.testing.assert_allclose(session.run(["amount"], feeds)[0], expected.amount, rtol=1e-4, atol=1e-4)


def test_comparisons_show_the_deviance_and_score_rows_by_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scored = score(Path("solo"), "test", None).tasks["events"]
    figures = summary("solo")["figures"]
    deviance = np.average(scored.columns["deviance"], weights=scored.weight)
    assert deviance == pytest.approx(figures["test/events/deviance"], rel=1e-5)
    rmse = np.sqrt(np.average(scored.columns["error"] ** 2, weights=scored.weight))
    assert rmse == pytest.approx(figures["test/events/rmse"], rel=1e-5)
    metrics = "events=deviance,events=rmse,events=mae"
    assert main(["compare", "s", "--rows", "--metric", metrics, "-o", "out"]) == 0
    text = capsys.readouterr().out
    assert "deviance ↓" in text and "a bootstrap of seeds and 60 rows" in text and "rows not scored" not in text
    assert main(["compare", "s", "trees", "--format", "csv", "-o", "out"]) == 0
    means = {
        row["label"]: float(row["events/deviance"]) for row in csv.DictReader(capsys.readouterr().out.splitlines())
    }
    due = [summary(run)["figures"]["test/events/deviance"] for run in ("s/000_seed=0", "s/001_seed=1", "trees")]
    assert [means["loss=sum"], means["boosting"]] == pytest.approx([(due[0] + due[1]) / 2, due[2]])


def test_an_interrupted_run_goes_on_to_the_same_bytes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mtlrun.storage.progress import Progress

    before = Progress.step

    def step(self: Any, number: int, losses: Any) -> None:
        before(self, number, losses)
        if number == 8:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Progress, "step", step)
    assert main([*SMALL, "seed=1", "hydra.run.dir=resumed"]) == 143
    monkeypatch.setattr(Progress, "step", before)
    assert main(["resume", "resumed"]) == 0
    assert Path("resumed/metrics.csv").read_bytes() == Path("solo/metrics.csv").read_bytes()


@pytest.mark.parametrize(("wrong", "shown"), [(-3, "-3"), (2.5, "2.5")])
def test_other_labels_are_refused_by_check(
    wrong: float, shown: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_csv("visits.csv")
    table.loc[41, "events"] = wrong
    table.to_csv("wrong.csv", index=False)
    assert main(["check", *SMALL, "data.path=wrong.csv"]) == 2
    assert capsys.readouterr().err == (
        f"mtlrun: tasks.events: the target of a count, column 'events', holds {shown} in data row 42 "
        "(header not counted)\n"
        "allowed: whole numbers from 0; mend the column, or choose another tasks.events.type\n"
    )


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("tasks.events.bins=3", "tasks.events.bins: makes classes, and tasks.events.type is count"),
        ("tasks.events.smooth={over: x0}", "tasks.events.smooth: means of numbers, and tasks.events.type is count"),
        ("tasks.events.loss=mse", "tasks.events.loss: mse does not fit count\nallowed: poisson"),
        ("tasks.events.primary=r2", "tasks.events.primary: r2 is no metric of count"),
        ("tasks.events.class_weights=balanced", "tasks.events.class_weights: the task is a count"),
    ],
)
def test_settings_without_a_meaning_are_refused(
    words: str, error: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *SMALL, words]) == 2
    assert capsys.readouterr().err.startswith(f"mtlrun: {error}")


def test_it_is_asked_for_and_never_inferred(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pd.read_csv("visits.csv").events.nunique() > 10
    assert main(["check", "data=table", "data.path=visits.csv", "tasks={events: {}}"]) == 0
    assert "events: loss mse" in capsys.readouterr().out
