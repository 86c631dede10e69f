"""model=boosting against scikit-learn used by hand, and as a run among runs: files, sweeps, signals, predictions."""

import csv
import dataclasses
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as reference
import torch
import yaml
from commands import main
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

import mtlrun
import mtlrun.engine.boosting as boosting
from mtlrun.config.check import check
from mtlrun.config.schema import Config, as_mapping, config_hash
from mtlrun.data.columns import MISSING, UNKNOWN, InputColumn, InputSpec
from mtlrun.data.dataset import Dataset
from mtlrun.engine import checkpoint
from mtlrun.runs.build import build_stack
from mtlrun.runs.initial_summary import initial_summaries
from mtlrun.runs.single import PreparedRun
from mtlrun.runs.size import size
from mtlrun.sweeps.division import Limits, divide
from mtlrun.util.errors import RequestError, TrainingError
from tests.support import by_rule, make_config, make_dataset

SETTINGS = {"name": "boosting", "iterations": 40, "learning_rate": 0.2, "max_leaf_nodes": 7, "min_samples_leaf": 5}
BY_HAND = {"max_iter": 40, "learning_rate": 0.2, "max_leaf_nodes": 7, "min_samples_leaf": 5, "early_stopping": False}


def boosted(tasks: dict[str, Any] | None = None, model: dict[str, Any] | None = None, **groups: Any) -> Config:
    trainer = {"epochs": "auto", "batch_size": "auto", "patience": None} | groups.pop("trainer", {})
    tree = as_mapping(make_config(tasks, trainer=trainer, **{"lr": {"base": 0.002}} | groups))
    return check(tree | {"model": SETTINGS | (model or {})})


def train(config: Config, dataset: Dataset, folder: Path) -> dict[str, Any]:
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    return PreparedRun(config, build_stack([config], [dataset])).train(folder)


def metrics(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "metrics.csv", keep_default_na=False)


# ---------------------------------------------------------------- against scikit-learn


def by_hand(kind: str, x: np.ndarray, y: np.ndarray, split: Any) -> tuple[Any, list[float], list[float]]:
    """scikit-learn's model, and its losses on val and train after each iteration."""
    if kind == "regression":
        spread = y[split.train].std()
        model: Any = HistGradientBoostingRegressor(**BY_HAND).fit(x[split.train], y[split.train])
        course = [reference.mean_squared_error(y[split.val], p) for p in model.staged_predict(x[split.val])]
        course = [value / spread**2 for value in course]
        trained = list(model.staged_predict(x[split.train]))
        trained = [reference.mean_squared_error(y[split.train], p) / spread**2 for p in trained]
    else:
        model = HistGradientBoostingClassifier(**BY_HAND).fit(x[split.train], y[split.train])
        labels = model.classes_
        course = [reference.log_loss(y[split.val], p, labels=labels) for p in model.staged_predict_proba(x[split.val])]
        trained = [
            reference.log_loss(y[split.train], p, labels=labels) for p in model.staged_predict_proba(x[split.train])
        ]
    return model, course, trained


def test_figures_are_those_of_scikit_learn_by_hand(tmp_path: Path) -> None:
    config = boosted()
    dataset = make_dataset(config, rows=500)
    summary = train(config, dataset, tmp_path)
    split, x = dataset.split, dataset.numeric
    figures, chosen = summary["figures"], summary["best"]["iterations"]
    for task, kind in (("a", "regression"), ("b", "binary"), ("c", "categorical")):
        y = dataset.targets[task].values
        model, course, trained = by_hand(kind, x, y, split)
        best = int(np.argmin(course))
        assert chosen[task] == best + 1
        own = metrics(tmp_path)
        for part, expected in (("val", course), ("train", trained)):
            rows = own[(own.split == part) & (own.task == task) & (own.metric == "loss")]
            assert list(rows.step) == list(range(1, 41))
            np.testing.assert_allclose(rows.value, expected, rtol=1e-5)
            assert figures[f"{part}/{task}/loss"] == pytest.approx(expected[best], rel=1e-5)
        truth = y[split.test]
        if kind == "regression":
            predicted = list(model.staged_predict(x[split.test]))[best]
            rmse = reference.root_mean_squared_error(truth, predicted)
            assert figures["test/a/rmse"] == pytest.approx(rmse, rel=1e-5)
            assert figures["test/a/r2"] == pytest.approx(reference.r2_score(truth, predicted), rel=1e-5)
            continue
        shares = list(model.staged_predict_proba(x[split.test]))[best]
        assert figures[f"test/{task}/accuracy"] == reference.accuracy_score(truth, shares.argmax(1))
        assert figures[f"test/{task}/logloss"] == pytest.approx(reference.log_loss(truth, shares), rel=1e-5)
        if kind == "binary":
            assert figures["test/b/auroc"] == pytest.approx(reference.roc_auc_score(truth, shares[:, 1]))
            assert figures["test/b/auprc"] == pytest.approx(reference.average_precision_score(truth, shares[:, 1]))
    assert summary["steps"] == 40 and summary["best"]["step"] == max(chosen.values())
    skills = [1 - figures[f"val/{t}/loss"] / summary["trivial"][f"val/{t}/loss"] for t in "abc"]
    assert summary["best"]["by"] == "skill" and summary["best"]["value"] == pytest.approx(np.mean(skills))


def mixed_inputs(dataset: Dataset) -> Dataset:
    """The same table with a column of three categories, unknown and missing ones, and gaps among the numbers."""
    rng = np.random.default_rng(3)
    rows = len(dataset.numeric)
    codes = np.digitize(dataset.numeric[:, 3], [-0.5, 0.5]).astype(np.int32)[:, None]
    codes[rng.random(rows) < 0.1] = MISSING
    codes[rng.random(rows) < 0.1] = UNKNOWN
    numeric = dataset.numeric[:, :3].copy()
    numeric[rng.random(numeric.shape) < 0.2] = np.nan
    columns = [InputColumn("city", "category", True, ["Bonn", "Köln", "Ulm"])]
    columns += [InputColumn(f"x{j}", "numeric", True) for j in range(3)]  # not in the order of the arrays
    return dataclasses.replace(dataset, spec=InputSpec(columns), numeric=numeric, codes=codes)


@pytest.mark.parametrize("loss", ["mse", "l1"])
def test_missing_labels_gaps_categories_and_weights_reach_scikit_learn(tmp_path: Path, loss: str) -> None:
    config = boosted(
        {
            "a": {"type": "regression", "loss": loss},
            "b": {"type": "binary", "class_weights": "balanced"},
            "c": {"type": "categorical", "class_weights": [1.0, 0.0, 3.0]},
        }
    )
    dataset = mixed_inputs(make_dataset(config, rows=500, missing=0.3, weighted=True))
    assert dataset.weight is not None
    dataset.weight[::11] = 0
    summary = train(config, dataset, tmp_path)
    codes = dataset.codes[:, 0].astype(float)
    x = np.column_stack([dataset.numeric, np.where(codes >= 0, codes, np.nan)])
    common: dict[str, Any] = BY_HAND | {"categorical_features": [3]}
    for task, target in dataset.targets.items():
        each = np.ones(3)
        if task == "b":
            counts = np.bincount(target.values[dataset.split.train][target.observed[dataset.split.train]].astype(int))
            each = counts.sum() / (2 * counts)
        elif task == "c":
            each = np.array([1.0, 0.0, 3.0])
        weight = dataset.weight * target.observed
        if target.classes:
            weight = weight * each[target.values.astype(int)]
        train_rows, val, test = (part[weight[part] > 0] for part in dataset.split.parts().values())
        y, w = target.values, weight[train_rows] / weight[train_rows].mean()
        iterations = summary["best"]["iterations"][task]
        if target.classes:
            model: Any = HistGradientBoostingClassifier(**common | {"max_iter": iterations})
            model.fit(x[train_rows], y[train_rows], w)
            found = reference.log_loss(y[val], model.predict_proba(x[val]), sample_weight=weight[val])
        else:
            # the labels are standardised by all that are there, whatever their weight
            known = y[dataset.split.train][target.observed[dataset.split.train]]
            y = (y - known.mean()) / known.std()
            name = {"mse": "squared_error", "l1": "absolute_error"}[loss]
            model = HistGradientBoostingRegressor(loss=name, **common | {"max_iter": iterations})
            model.fit(x[train_rows], y[train_rows], w)
            errors = np.abs(model.predict(x[val]) - y[val])
            found = np.average(errors**2 if loss == "mse" else errors, weights=weight[val])
            mae = np.average(np.abs(model.predict(x[test]) - y[test]), weights=weight[test]) * known.std()
            assert summary["figures"]["test/a/mae"] == pytest.approx(mae, rel=1e-5)
        bound = (0.5 / len(train_rows)) if task == "c" else 0  # the class that no row of weight shows
        assert summary["figures"][f"val/{task}/loss"] == pytest.approx(found + np.log1p(bound), rel=1e-5)


def test_patience_ends_a_task_and_does_not_change_what_is_chosen(tmp_path: Path) -> None:
    tasks = {"a": {"type": "regression"}, "b": {"type": "binary"}}
    long, short = boosted(tasks), boosted(tasks, trainer={"patience": 4})
    dataset = make_dataset(long, rows=300)
    full, cut = train(long, dataset, tmp_path / "long"), train(short, dataset, tmp_path / "short")
    chosen = cut["best"]["iterations"]
    first, rows = metrics(tmp_path / "long"), metrics(tmp_path / "short")
    for task in tasks:
        losses = first[(first.split == "val") & (first.task == task) & (first.metric == "loss")].value.to_numpy()
        waited, best = 0, 0
        for at, loss in enumerate(losses):
            best, waited = (at, 0) if loss < losses[best] or at == 0 else (best, waited + 1)
            if waited == 4:
                break
        assert waited == 4, "the problem must show it"
        assert chosen[task] == best + 1
        own = rows[(rows.split == "val") & (rows.task == task) & (rows.metric == "loss")].value.to_numpy()
        np.testing.assert_array_equal(own, losses[: at + 1])
    assert cut["steps"] < full["steps"] == 40


def test_a_class_that_only_val_has_gets_the_odds_of_half_a_row(tmp_path: Path) -> None:
    config = boosted({"c": {"type": "categorical"}})
    dataset = make_dataset(config, rows=300, classes={"c": 4})
    values, train_rows = dataset.targets["c"].values, dataset.split.train
    values[train_rows] = np.where(values[train_rows] == 2, 1, values[train_rows])
    trees = boosting.fit(build_stack([config], [dataset]), "c", 10, None)
    out = trees.outputs(dataset.numeric)
    assert out.shape == (300, 4)
    probabilities = np.exp(out) / np.exp(out).sum(1, keepdims=True)
    odds = probabilities[:, 2] / (1 - probabilities[:, 2])
    np.testing.assert_allclose(odds, 0.5 / len(train_rows), rtol=1e-6)
    direct = HistGradientBoostingClassifier(**BY_HAND | {"max_iter": 10})
    direct.fit(dataset.numeric[train_rows], values[train_rows])
    np.testing.assert_allclose(
        np.delete(probabilities, 2, 1) * (1 + odds[:, None]), direct.predict_proba(dataset.numeric), rtol=1e-6
    )
    assert np.isfinite(train(config, dataset, tmp_path)["figures"]["val/c/loss"])


def test_of_two_classes_seen_and_a_third_the_two_have_their_probabilities() -> None:
    config = boosted({"c": {"type": "categorical"}})
    dataset = make_dataset(config, rows=300)
    values, rows = dataset.targets["c"].values, dataset.split.train
    values[rows] = np.where(values[rows] == 1, 2, values[rows])
    out = boosting.fit(build_stack([config], [dataset]), "c", 5, None).outputs(dataset.numeric)
    direct = HistGradientBoostingClassifier(**BY_HAND | {"max_iter": 5}).fit(dataset.numeric[rows], values[rows])
    np.testing.assert_allclose(1 / (1 + np.exp(out[:, 0] - out[:, 2])), direct.predict_proba(dataset.numeric)[:, 1])


def test_without_labels_in_val_all_iterations_count(tmp_path: Path) -> None:
    config = boosted({"a": {"type": "regression"}, "b": {"type": "binary"}}, trainer={"patience": 2})
    dataset = make_dataset(config, rows=300)
    dataset.targets["b"].observed[dataset.split.val] = False
    summary = train(config, dataset, tmp_path)
    assert summary["best"]["iterations"]["b"] == 40 == summary["steps"]
    assert "test/b/auroc" in summary["figures"] and "val/b/loss" not in summary["figures"]


def test_class_weights_that_leave_one_class_are_refused() -> None:
    config = boosted({"b": {"type": "binary", "class_weights": [1.0, 0.0]}})
    with pytest.raises(TrainingError, match=r"tasks\.b\.class_weights: leave 0 as the only class"):
        boosting.fit(build_stack([config], [make_dataset(config)]), "b", 5, None)


def test_more_categories_than_bins_count_as_numbers(tmp_path: Path) -> None:
    config = boosted({"a": {"type": "regression"}})
    dataset = make_dataset(config, rows=900)
    rng = np.random.default_rng(0)
    codes = np.column_stack([rng.permutation(np.arange(900) % n) for n in (255, 256)]).astype(np.int32)
    names = [
        InputColumn("few", "category", categories=[str(i) for i in range(255)]),
        InputColumn("many", "category", categories=[str(i) for i in range(256)]),
    ]
    dataset = dataclasses.replace(dataset, spec=InputSpec([*dataset.spec.columns, *names]), codes=codes)
    assert boosting.categorical(dataset.spec) == [False] * 4 + [True, False]
    (note,) = boosting.run_notes(dataclasses.replace(config, notes=()), dataset)
    assert note.startswith("many: its 256 categories count as numbers")
    assert train(config, dataset, tmp_path)["status"] == "completed"


# ---------------------------------------------------------------- the request


def test_what_only_networks_have_is_left_out_with_one_note() -> None:
    plainly = boosted()
    assert plainly.notes == ()
    config = boosted(
        loss={"name": "uncertainty"},
        lr={"base": 0.5},
        optimizer={"momentum": 0.9, "name": "sgd"},
        graph={"receives": {"a": {"trunk": {"at": 2}}}},
        trainer={"batch_size": 8, "patience": None, "device": "cuda"},
    )
    assert config.notes == (
        "model=boosting: graph.receives, loss, lr.base, optimizer, trainer.batch_size, "
        "trainer.device left out, as only networks have that",
    )
    tree = as_mapping(config)
    assert not {"loss", "lr", "graph", "sharing", "optimizer"} & tree.keys()
    assert tree["trainer"] == {
        "patience": None,
        "calibrate": False,
        "device": "cpu",
        "threads": 1,
        "tensorboard": False,
    }
    assert check(tree) == dataclasses.replace(config, notes=())
    assert config_hash(config) == config_hash(check(tree))


def test_a_reconstruction_is_left_out(tmp_path: Path) -> None:
    config = boosted({"a": {"type": "regression"}, "x": {"type": "reconstruction", "role": "auxiliary"}})
    assert list(config.active) == ["a"] and check(as_mapping(config)).active == config.active
    assert config.notes == ("model=boosting: tasks.x (reconstruction) left out, as only networks have that",)
    assert {key.split("/")[1] for key in train(config, make_dataset(config), tmp_path)["figures"]} == {"a"}


def test_huber_is_refused() -> None:
    tasks = {"a": {"type": "regression", "loss": "huber"}}
    with pytest.raises(RequestError, match=r"tasks\.a\.loss: huber, .*\nallowed with it: mse"):
        boosted(tasks)
    boosted({"b": {"type": "binary"}} | tasks, only=["b"])


def test_a_network_without_its_groups_is_still_refused() -> None:
    tree = as_mapping(make_config())
    del tree["loss"]
    with pytest.raises(RequestError, match=r"loss\.name"):
        check(tree)


def test_every_boosting_run_is_alone_and_its_steps_are_iterations() -> None:
    configs = [boosted(seed=seed) for seed in range(3)]
    sizes = [size(config, make_dataset(config)) for config in configs]
    division = divide(sizes, Limits(1, memory=2**40))
    assert division.stacks == [[0], [1], [2]] and "as model=boosting trains" in division.describe()
    assert [s.steps for s in sizes] == [40] * 3


def test_the_trivial_predictor_is_that_of_a_network() -> None:
    config = boosted()
    network = make_config()
    dataset = make_dataset(config, missing=0.2, weighted=True)
    (own,), (other,) = (initial_summaries(build_stack([c], [dataset])) for c in (config, network))
    assert own["trivial"] == other["trivial"] and "test/a/rmse" in own["trivial"]


# ---------------------------------------------------------------- as a run among runs


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a table of numbers, text, gaps and missing labels as data=houses."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    area, city = rng.normal(100, 30, 400), rng.choice(["Bonn", "Köln", "Ulm"], 400)
    price = 3000 * area + 50_000 * (city == "Bonn") + rng.normal(0, 10_000, 400)
    kind = np.where(area > 110, "villa", np.where(rng.random(400) > 0.5, "flat", "hut"))
    frame = pd.DataFrame({"area": area, "city": city, "price": price, "kind": kind, "sold": rng.random(400) < 0.5})
    for name in ("area", "city", "price", "sold"):
        frame[name] = frame[name].astype(object)
        frame.loc[rng.choice(400, 40, replace=False), name] = None
    frame.to_csv("houses.csv", index=False)
    Path("conf/data").mkdir(parents=True)
    Path("conf/data/houses.yaml").write_text(
        "# @package _global_\ndata: {path: houses.csv}\ntasks:\n  price: {type: regression}\n"
        "  kind: {type: categorical}\n  sold: {type: binary}\n"
    )
    return tmp_path


SHORT = ["data=houses", "lr.schedule=cosine", *by_rule(patience=5)]


def summary_of(folder: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(folder) / "summary.json").read_text())
    return found


def test_a_run_leaves_every_file_and_says_what_it_chose(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SHORT, "model=boosting", "lr.base=0.1", "hydra.run.dir=out"]) == 0
    out = capsys.readouterr().out
    summary = summary_of("out")
    chosen = summary["best"]["iterations"]
    assert "model=boosting: lr.base left out, as only networks have that" in out
    assert f"iterations with the least loss on val: price {chosen['price']}, kind {chosen['kind']}" in out
    for name in (
        ".hydra/config.yaml",
        ".hydra/overrides.yaml",
        "run.log",
        "metrics.csv",
        "checkpoints/last.pt",
        "checkpoints/best.pt",
    ):
        assert (Path("out") / name).stat().st_size > 0
    assert list(Path("out").glob("events.out.tfevents*"))
    rows = metrics(Path("out"))
    test = rows[rows.split == "test"]
    assert {(t, s) for t, s in zip(test.task, test.step, strict=True)} == set(chosen.items())
    for row in test.itertuples():
        assert summary["figures"][f"test/{row.task}/{row.metric}"] == pytest.approx(row.value)
    assert summary["versions"]["scikit-learn"] and summary["hardware"]["device"] == "cpu"
    tree = torch.load("out/checkpoints/best.pt", weights_only=True)
    assert tree["iterations"] == chosen and tree["data_hash"] == summary["data_hash"]


def test_a_sweep_trains_boosting_beside_networks_and_with_the_bits_of_a_lone_run(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data=houses", *by_rule(patience=5, epochs=2, batch_size=64), "hydra.launcher.processes=2"]
    assert main(["-m", *words, "model=mlp,boosting", "seed=0,1", "loss=sum,uncertainty", "hydra.sweep.dir=s"]) == 0
    assert "2 of 4 runs of model=boosting repeat another" in capsys.readouterr().out
    with open("s/results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["completed"] * 8
    assert all(float(row["test/price/rmse"]) > 0 for row in rows)
    for row in rows:
        sizes = {"mlp": 4, "boosting": 1}
        assert summary_of(Path("s") / row["run"])["stack"]["size"] == sizes[row["model"]]
    assert main([*SHORT, "model=boosting", "seed=1", "hydra.run.dir=one"]) == 0
    alone = Path("one/metrics.csv").read_bytes()
    same = [row["run"] for row in rows if (row["model"], row["seed"]) == ("boosting", "1")]
    assert len(same) == 2 and all((Path("s") / run / "metrics.csv").read_bytes() == alone for run in same)
    assert summary_of(Path("s") / same[0])["config_hash"] == summary_of(Path("s") / same[1])["config_hash"]


def interrupted(monkeypatch: pytest.MonkeyPatch, words: list[str], whom: Callable[[], int], signum: int) -> int:
    """The exit status of a command that gets a signal while the second task of seed 1 is being fitted."""

    def fit(stack: Any, task: str, *rest: Any) -> boosting.Trees:
        if task == "kind" and stack.configs[0].seed == 1:
            os.kill(whom(), signum)
            time.sleep(30)
        return before(stack, task, *rest)

    before = boosting.fit
    with monkeypatch.context() as patch:
        patch.setattr(boosting.training, "fit", fit)
        return main(words)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_begins_anew(here: Path, monkeypatch: pytest.MonkeyPatch, signum: int) -> None:
    words = [*SHORT, "model=boosting", "seed=1"]
    assert interrupted(monkeypatch, [*words, "hydra.run.dir=out"], os.getpid, signum) == 128 + signum
    assert summary_of("out")["status"] == "interrupted"
    assert main(["resume", "out"]) == 0
    assert "resumed from the beginning: model=boosting saves nothing on the way" in Path("out/run.log").read_text()
    assert main([*words, "hydra.run.dir=whole"]) == 0
    assert Path("out/metrics.csv").read_bytes() == Path("whole/metrics.csv").read_bytes()


def test_an_interrupted_sweep_goes_on(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["-m", *SHORT, "model=boosting", "seed=0,1", "hydra.sweep.dir=s", "hydra.launcher.processes=1"]
    assert interrupted(monkeypatch, words, os.getppid, signal.SIGTERM) == 143
    runs = sorted(Path("s").glob("0*"))
    assert [summary_of(run)["status"] for run in runs] == ["completed", "interrupted"]
    assert main(["resume", "s"]) == 0
    assert summary_of(runs[1])["status"] == "completed"
    assert main([*SHORT, "model=boosting", "seed=1", "hydra.run.dir=whole"]) == 0
    assert (runs[1] / "metrics.csv").read_bytes() == Path("whole/metrics.csv").read_bytes()


def test_predictions_are_fitted_anew_and_give_the_figures_of_the_run(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SHORT, "model=boosting", "hydra.run.dir=out"]) == 0
    capsys.readouterr()
    assert main(["predict", "out", "houses.csv", "-o", "p.csv"]) == 0
    assert capsys.readouterr().out.startswith("model=boosting: fitted anew from the run's configuration and table\n")
    frame, predicted = pd.read_csv("houses.csv"), pd.read_csv("p.csv")
    from mtlrun.data.dataset import load_dataset

    config = check(yaml.safe_load(Path("out/.hydra/config.yaml").read_text()))
    test = load_dataset(config).split.test
    rows = test[frame.price[test].notna()]
    figures = summary_of("out")["figures"]
    rmse = reference.root_mean_squared_error(frame.price[rows], predicted.price[rows])
    assert figures["test/price/rmse"] == pytest.approx(rmse, rel=1e-5)
    assert figures["test/kind/accuracy"] == reference.accuracy_score(frame.kind[test], predicted.kind[test])
    rows = test[frame.sold[test].notna()]
    auroc = reference.roc_auc_score(frame.sold[rows].astype(bool), predicted["sold[True]"][rows])
    assert figures["test/sold/auroc"] == pytest.approx(auroc)

    predictor = mtlrun.load("out")
    strange = pd.DataFrame({"area": [100.0, None], "city": ["Rom", None]})
    assert predictor.unknown(strange) == {"city": 1}
    assert np.isfinite(predictor.predict(strange).price).all() and predictor.predict(strange[:0]).empty


def test_predictions_refuse_a_changed_table_and_another_outcome(here: Path) -> None:
    assert main([*SHORT, "model=boosting", "hydra.run.dir=out"]) == 0
    path = Path("out/checkpoints/best.pt")
    tree = checkpoint.load(path)
    checkpoint.save(path, tree | {"losses": {t: value * 1.01 for t, value in tree["losses"].items()}})
    with pytest.raises(RequestError, match=r"out: fitted anew, price has loss"):
        mtlrun.load("out")
    checkpoint.save(path, tree)
    Path("houses.csv").write_text(Path("houses.csv").read_text().replace("Bonn", "Rom"))
    with pytest.raises(RequestError, match=r"houses\.csv has changed since this run"):
        mtlrun.load("out")
    Path("houses.csv").unlink()
    with pytest.raises(RequestError, match=r"fits its trees again .* training table is gone: .*houses\.csv\nput the"):
        mtlrun.load("out")


def test_check_shows_the_trees(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *SHORT, "lr.base=0.002", "model=boosting", "loss=uncertainty"]) == 0
    out = capsys.readouterr().out
    assert "2 columns as they are, 1 of them as categories" in out
    assert "trees per iteration: price 1, kind 3, sold 1; of at most 31 leaves" in out
    assert "500 iterations, fewer after 5 without a smaller loss on val" in out
    assert "model=boosting: loss left out" in out and not Path("outputs").exists()
