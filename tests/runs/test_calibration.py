"""Temperatures and intervals of whole runs: figures, predictions, comparison and export agree."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
import torch

import mtlrun
from mtlrun.cli.main import main
from mtlrun.compare.analysis.scores import score
from mtlrun.engine import checkpoint
from mtlrun.runs.predictor import selected
from mtlrun.statistics import over_draws
from tests.tasks.test_metrics import calibration_error

SMALL = ["data=visits", "model.hidden=[64]", "model.head_hidden=[16]", "trainer.threads=1", "trainer.tensorboard=false"]
LONG = ["trainer.epochs=100", "trainer.batch_size=32", "lr.base=0.02", "trainer.select=last", "trainer.patience=null"]
TREES = ["data=visits", "model=boosting", "model.iterations=40", "model.learning_rate=0.4"]
YAML = """# @package _global_
data: {path: visits.csv, weight: w, split: {seed: 0}}
tasks:
  price: {type: regression}
  visits: {type: count}
  kind: {type: categorical}
  sold: {type: binary, role: auxiliary}
  fool: {type: binary, target: sold, role: auxiliary, discard: true}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs `plain` and `scaled` of a network that has learnt 240 rows by heart, and of trees."""
    root = tmp_path_factory.mktemp("calibration")
    rng, n = np.random.default_rng(0), 400
    x = rng.normal(size=(n, 3))
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame["price"] = 1e5 + 2e4 * x[:, 0] + 5e3 * rng.standard_t(3, n)
    frame["visits"] = rng.poisson(np.exp(0.5 + x[:, 1]))
    frame["kind"] = np.array(["p", "q", "r"])[(x + rng.gumbel(size=x.shape)).argmax(1)]
    frame["sold"] = np.where(rng.random(n) < 1 / (1 + np.exp(-x[:, 2])), "yes", "no")
    frame["w"] = rng.uniform(0.5, 2, n)
    for column in ("price", "visits", "sold"):
        frame.loc[rng.choice(n, 40, replace=False), column] = None
    frame.to_csv(root / "visits.csv", index=False)
    (root / "conf/data").mkdir(parents=True)
    (root / "conf/data/visits.yaml").write_text(YAML)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(root)
        for folder, words in (
            ("plain", [*SMALL, *LONG]),
            ("scaled", [*SMALL, *LONG, "trainer.calibrate=true"]),
            ("trees", TREES),
            ("scaled_trees", [*TREES, "trainer.calibrate=true"]),
        ):
            assert main([*words, f"hydra.run.dir={folder}"]) == 0
    return root


@pytest.fixture(autouse=True)
def inside(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)


def figures(folder: str) -> dict[str, float]:
    found: dict[str, float] = json.loads(Path(folder, "summary.json").read_text())["figures"]
    return found


@pytest.mark.parametrize("before, after", [("plain", "scaled"), ("trees", "scaled_trees")])
def test_a_temperature_lowers_the_log_loss_on_val_and_changes_no_order(before: str, after: str) -> None:
    old, new = figures(before), figures(after)
    assert not any(name.endswith("temperature") for name in old)
    for task in ("kind", "sold", "fool"):
        assert new[f"val/{task}/logloss"] <= old[f"val/{task}/logloss"]
        for split in ("val", "test"):
            if before == "plain":  # the network knows its training rows too well, the trees stop before
                assert new[f"val/{task}/temperature"] > 1.2
                assert new[f"{split}/{task}/logloss"] < old[f"{split}/{task}/logloss"]
                assert new[f"{split}/{task}/ece"] < old[f"{split}/{task}/ece"]
            for metric in {"accuracy", "auroc", "auprc"} & {name.split("/")[-1] for name in old if task in name}:
                assert new[f"{split}/{task}/{metric}"] == pytest.approx(old[f"{split}/{task}/{metric}"], abs=1e-4)
    same = [name for name in old if name.split("/")[1] in ("price", "visits") or name.startswith("train/")]
    assert {name: old[name] for name in same} == {name: new[name] for name in same}
    rows = pd.read_csv(f"{after}/metrics.csv", keep_default_na=False).query("metric == 'temperature'")
    assert rows.split.tolist() == ["val"] * 3
    assert dict(zip(rows.task, rows.value, strict=True)) == {
        task: new[f"val/{task}/temperature"] for task in ("kind", "sold", "fool")
    }


def of_test(folder: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    from mtlrun.data.dataset import load_dataset

    rows = load_dataset(selected(folder)[0]).split.test
    return frame.iloc[rows].reset_index(drop=True), rows


@pytest.mark.parametrize("folder", ["plain", "scaled", "scaled_trees"])
def test_the_figures_on_test_are_those_of_the_predictions(folder: str) -> None:
    table, _ = of_test(folder, pd.read_csv("visits.csv"))
    found = mtlrun.load(folder, ["price", "visits", "kind", "sold"]).predict(table, interval=0.9)
    assert list(found)[:6] == ["price", "price[low]", "price[high]", "visits", "visits[low]", "visits[high]"]
    known = figures(folder)
    for task in ("price", "visits"):
        assert (found[f"{task}[high]"] > found[task]).all() and (found[f"{task}[low]"] <= found[task]).all()
        own, y, w = found[table[task].notna()], table[task].dropna(), table.w[table[task].notna()]
        low, high = own[f"{task}[low]"], own[f"{task}[high]"]
        inside = (low <= y) & (y <= high)
        missed = np.where(inside, 0, np.minimum(abs(y - low), abs(y - high)))
        expected = {"coverage_90": inside, "width_90": high - low, "interval_score_90": high - low + 20 * missed}
        for metric, values in expected.items():
            assert known[f"test/{task}/{metric}"] == pytest.approx(np.average(values, weights=w), rel=1e-5), metric
        assert 0.75 < known[f"test/{task}/coverage_90"] <= 1
    assert (found["visits[low]"] >= 0).all() and (found["visits[low]"] == 0).any()
    for task in ("kind", "sold"):
        seen = table[task].notna()
        names = [name for name in found if name.startswith(f"{task}[")]
        p, y, w = found[names][seen].to_numpy(), table[task][seen].to_numpy(), table.w[seen].to_numpy()
        labels = [name[len(task) + 1 : -1] for name in names]
        assert known[f"test/{task}/logloss"] == pytest.approx(
            sk.log_loss(y, p, sample_weight=w, labels=labels), rel=1e-5
        )
        truth = np.array([labels.index(value) for value in y])
        brier, ece = (
            sk.brier_score_loss(y, p, sample_weight=w, labels=labels),
            calibration_error(p.max(1), p.argmax(1) == truth, w),
        )
        if task == "sold":
            brier, ece = sk.brier_score_loss(truth, p[:, 1], sample_weight=w), calibration_error(p[:, 1], truth, w)
        assert known[f"test/{task}/brier"] == pytest.approx(brier, rel=1e-5)
        assert known[f"test/{task}/ece"] == pytest.approx(ece, abs=1e-5)


@pytest.mark.parametrize("split", ["val", "test"])
def test_compare_rows_makes_every_figure_again(split: str) -> None:
    for folder in ("plain", "scaled"):
        known = figures(folder)
        scored = score(Path(folder), split, None).tasks
        assert set(scored) == {"price", "visits", "kind", "sold"}
        for name, value in known.items():
            part, task, metric = name.split("/")
            if part == split and task in scored and metric not in ("loss", "temperature"):
                again = over_draws(np.ones((1, len(scored[task].weight)), np.float32), [(scored[task], metric)])
                assert again[0, 0] == pytest.approx(value, rel=1e-4, abs=1e-5), name


def test_an_exported_model_has_the_temperatures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "scaled", "-o", "model.onnx", "--tasks", "kind,sold,price"]) == 0
    assert "parity with predict" in capsys.readouterr().out


def test_runs_of_a_stack_have_what_they_have_alone() -> None:
    words = [
        *SMALL,
        "trainer.epochs=8",
        "trainer.batch_size=32",
        "lr.base=0.02",
        "trainer.patience=2",
        "data.split.seed=null",
    ]
    sweep = ["-m", *words, "seed=3,4", "trainer.calibrate=false,true", "hydra.sweep.dir=sweep"]
    assert main(sweep) == 0
    plan = json.loads(Path("sweep/sweep.json").read_text())
    stacks = [json.loads(Path("sweep", job["run"], "summary.json").read_text())["stack"]["size"] for job in plan]
    assert min(stacks) > 1  # with and without a temperature side by side
    for job in plan:
        settings = json.loads(Path("sweep", job["run"], "summary.json").read_text())["settings"]
        wanted = [f"seed={settings['seed']}", f"trainer.calibrate={settings['trainer']['calibrate']}"]
        folder = f"alone_{job['run']}"
        assert main([*words, *wanted, f"hydra.run.dir='{folder}'"]) == 0
        alone, together = (
            checkpoint.load(Path(f, "checkpoints/best.pt"))["calibration"] for f in (folder, f"sweep/{job['run']}")
        )
        assert bool(alone["temperatures"]) == settings["trainer"]["calibrate"]
        assert together["temperatures"] == pytest.approx(alone["temperatures"], rel=1e-3)
        for task, own in alone["residuals"].items():
            torch.testing.assert_close(
                together["residuals"][task]["widths"], own["widths"], rtol=1e-3, atol=1e-3 * own["widths"].max()
            )
            assert torch.equal(together["residuals"][task]["shares"], own["shares"])


def test_a_checkpoint_without_what_only_training_needs() -> None:
    own = checkpoint.load(Path("scaled/checkpoints/best.pt"))["calibration"]
    assert set(own["temperatures"]) == {"kind", "sold"} and set(own["residuals"]) == {"price", "visits"}
    assert own["residuals"]["visits"]["least"] == 0


@pytest.mark.parametrize(
    "words, answer",
    [
        (["scaled", "--interval", "1"], "--interval: found 1\nallowed: a level between 0 and 1"),
        (["scaled", "--interval", "nan"], "--interval: found nan\nallowed: a level between 0 and 1"),
        (["scaled", "--interval", "90%"], "--interval: found 90%\nallowed: a number, such as 0.9"),
        (
            ["scaled", "--interval", "0.999"],
            "--interval: 0.999 of price takes 999 rows of val with labels, and there are",
        ),
        (["scaled", "--interval", "0.9", "--tasks", "kind"], "--interval: none of these tasks has numbers: kind"),
        (["older", "--interval", "0.9"], "--interval: no residuals of price on val are stored"),
        (["broken", "--interval", "0.9"], "not the checkpoint of this run"),
    ],
)
def test_a_wrong_interval_is_answered_with_what_is_allowed(
    words: list[str], answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changes: dict[str, Any] = {
        "older": lambda tree: tree.pop("calibration"),
        "broken": lambda tree: tree["calibration"]["residuals"]["price"].pop("shares"),
    }
    if words[0] in changes:
        path = Path(words[0], "checkpoints/best.pt")
        path.parent.mkdir(parents=True, exist_ok=True)
        tree = checkpoint.load(Path("scaled/checkpoints/best.pt"))
        changes[words[0]](tree)
        checkpoint.save(path, tree)
    assert main(["predict", words[0], "visits.csv", "-o", "wrong.csv", *words[1:]]) == 2
    assert answer in capsys.readouterr().err and not Path("wrong.csv").exists()
    if words[0] == "older":
        assert main(["predict", words[0], "visits.csv", "-o", "old.csv"]) == 0


def test_predict_writes_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "scaled", "visits.csv", "-o", "out.csv", "--interval", "0.5"]) == 0
    found = pd.read_csv("out.csv")
    half = ((found["price[high]"] - found["price[low]"]) / 2).unique()
    assert f"price: interval of 0.5 is ± {half[0]:.4g}\n" in capsys.readouterr().out
    table = pd.read_csv("visits.csv")
    rows = mtlrun.load("scaled")
    from mtlrun.data.dataset import load_dataset

    val = load_dataset(selected("scaled")[0]).split.val
    val = val[table.price[val].notna()]
    errors, w = abs(rows.predict(table.iloc[val]).price - table.price[val]).to_numpy(), table.w[val].to_numpy()
    shares = np.array([w[errors <= e].sum() / (w.sum() + w.mean()) for e in errors])
    assert half[0] == pytest.approx(errors[shares >= 0.5].min(), rel=1e-4)


def test_predict_says_how_many_test_rows_the_intervals_held(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "scaled", "visits.csv", "-o", "held.csv", "--interval", "0.9", "--tasks", "price"]) == 0
    assert (
        f"; on test it held {figures('scaled')['test/price/coverage_90']:.1%} of the rows\n" in capsys.readouterr().out
    )
    assert main(["predict", "scaled", "visits.csv", "-o", "held8.csv", "--interval", "0.8", "--tasks", "price"]) == 0
    assert "on test" not in capsys.readouterr().out  # coverage is recorded for 90 % only


def test_a_run_without_classes_or_labels_in_val_needs_no_calibration(capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_csv("visits.csv")
    table["part"] = np.repeat(["train", "val", "test"], [200, 100, 100])
    table.loc[200:299, "price"] = np.nan
    table.to_csv("parts.csv", index=False)
    words = [*SMALL, "data.path=parts.csv", "data.split.column=part", "trainer.epochs=1", "trainer.calibrate=true"]
    assert main([*words, "only=[price,visits]", "hydra.run.dir=parts"]) == 0
    found = figures("parts")
    assert "test/visits/coverage_90" in found and "test/price/coverage_90" not in found
    assert main(["predict", "parts", "parts.csv", "-o", "parts_out.csv", "--interval", "0.9"]) == 2
    assert "no residuals of price on val are stored, because val has no labels of it" in capsys.readouterr().err
    assert main(["predict", "parts", "parts.csv", "-o", "few.csv", "--interval", "0.9", "--tasks", "visits"]) == 0


def test_an_ensemble_has_the_temperatures_of_its_members_and_the_mean_of_their_widths(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [*SMALL, "trainer.epochs=8", "trainer.batch_size=32", "lr.base=0.02", "trainer.calibrate=true"]
    assert main(["-m", *words, "seed=5,6,7", "hydra.sweep.dir=members"]) == 0
    table = pd.read_csv("visits.csv")
    folders = sorted(path.parent for path in Path("members").glob("*/summary.json"))
    members = [mtlrun.load(folder).predict(table, interval=0.8) for folder in folders]
    found = mtlrun.load("members").predict(table, interval=0.8)
    for column in ("price", "visits", "kind[p]"):
        np.testing.assert_allclose(found[column], np.mean([m[column] for m in members], 0), rtol=1e-6)
    half = np.mean([(m["price[high]"] - m["price[low]"]) / 2 for m in members], 0)
    np.testing.assert_allclose(found["price[high]"], found["price"] + half, rtol=1e-6)
    assert (found["visits[low]"] >= 0).all()
    assert (
        main(["predict", "members", "visits.csv", "-o", "of_members.csv", "--interval", "0.8", "--tasks", "visits"])
        == 0
    )
    assert list(pd.read_csv("of_members.csv")) == ["visits", "visits[std]", "visits[low]", "visits[high]"]
    assert main(["predict", "members", "visits.csv", "-o", "of_90.csv", "--interval", "0.9", "--tasks", "price"]) == 0
    held = [figures(str(folder))["test/price/coverage_90"] for folder in folders]
    said = f"held {np.mean(held):.1%} of the rows ({min(held):.1%} to {max(held):.1%})\n"
    assert said in capsys.readouterr().out
    path = folders[0] / "checkpoints/best.pt"
    tree = checkpoint.load(path)
    tree.pop("calibration")
    checkpoint.save(path, tree)
    assert main(["predict", "members", "visits.csv", "-o", "of_old.csv", "--interval", "0.8"]) == 2
