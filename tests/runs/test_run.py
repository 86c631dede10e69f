"""A run from files to files: the contract of a run's folder, predictions, resuming."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from commands import last_of, main
from support import PLAIN_WORDS

import mtlrun
from mtlrun.config.check import check
from mtlrun.config.schema import as_mapping
from mtlrun.data.dataset import load_dataset
from mtlrun.engine import checkpoint
from mtlrun.runs import single
from mtlrun.util.errors import RequestError

SMALL = ["trainer.epochs=3", "trainer.batch_size=32", "model.hidden=[16]", "model.head_hidden=[8]", "trainer.threads=1"]


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table of 300 rows with numbers, text, gaps and three targets, in the working directory, as data=houses."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    area, rooms = rng.normal(100, 30, 300), rng.integers(1, 6, 300)
    city = rng.choice(["Bonn", "Köln", "Ulm"], 300)
    price = 3000 * area + 20_000 * rooms + 50_000 * (city == "Bonn") + rng.normal(0, 10_000, 300)
    kind = np.where(area > 120, "villa", np.where(rooms > 3, "flat", "hut"))
    sold = np.where(rng.random(300) < 1 / (1 + np.exp(-(area - 100) / 10)), "yes", "no")
    frame = pd.DataFrame({"area": area, "rooms": rooms, "city": city, "price": price, "kind": kind, "sold": sold})
    frame.loc[rng.choice(300, 30, replace=False), "area"] = np.nan
    frame.loc[rng.choice(300, 60, replace=False), "price"] = np.nan
    frame.loc[rng.choice(300, 60, replace=False), "sold"] = None
    frame.to_csv("houses.csv", index=False)
    (tmp_path / "conf/data").mkdir(parents=True)
    (tmp_path / "conf/data/houses.yaml").write_text(
        "# @package _global_\ndata: {path: houses.csv}\ntasks:\n  price: {type: regression}\n"
        "  kind: {type: categorical}\n  sold: {type: binary}\n"
    )
    return frame


def stored_config(folder):
    return yaml.safe_load(Path(folder, ".hydra/config.yaml").read_text())


def train(*overrides, folder="out"):
    assert main(["data=houses", *SMALL, f"hydra.run.dir={folder}", *overrides]) == 0
    return json.loads(Path(f"{folder}/summary.json").read_text())


def test_a_run_leaves_every_file_of_the_contract(table, tmp_path):
    summary = train("loss=uncertainty", "lr=per_head")
    for name in (
        ".hydra/config.yaml",
        ".hydra/hydra.yaml",
        ".hydra/overrides.yaml",
        "run.log",
        "metrics.csv",
        "summary.json",
        "checkpoints/last.pt",
        "checkpoints/best.pt",
    ):
        assert (tmp_path / "out" / name).stat().st_size > 0, name
    assert list((tmp_path / "out").glob("events.out.tfevents*"))
    assert summary["status"] == "completed" and summary["schema"] == 1 and summary["error"] is None
    assert summary["steps"] == 3 * (210 // 32)
    expected = {
        f"{split}/{task}/{metric}"
        for split in ("val", "test")
        for task, metrics in {
            "price": ("loss", "mse", "rmse", "mae", "r2"),
            "kind": ("loss", "accuracy", "logloss", "brier", "ece"),
            "sold": ("loss", "accuracy", "auroc", "auprc", "logloss", "brier", "ece"),
        }.items()
        for metric in metrics
    }
    assert set(summary["trivial"]) == expected
    of_training = {f"train/{t}/{figure}" for t in ("price", "kind", "sold") for figure in ("loss", "sigma")}
    of_intervals = {f"test/price/{figure}" for figure in ("coverage_90", "width_90", "interval_score_90")}
    assert set(summary["figures"]) == expected | of_training | of_intervals
    assert summary["trivial"]["test/sold/auroc"] == 0.5
    assert summary["trivial"]["test/price/r2"] == pytest.approx(0, abs=0.2)
    assert set(summary["stack"]) == {"id", "size"} and summary["memory"] > 0 and summary["seconds"] > 0
    metrics = pd.read_csv("out/metrics.csv", keep_default_na=False)
    assert list(metrics.columns) == ["epoch", "step", "split", "task", "metric", "value"]
    assert np.isfinite(metrics.value).all()


def test_the_stored_configuration_is_complete_checked_and_absolute(table, tmp_path):
    train("loss=uncertainty")
    stored = stored_config("out")
    config = check(stored)
    assert stored["data"]["path"] == str(tmp_path / "houses.csv")
    assert stored["data"]["split"]["seed"] == 0
    assert as_mapping(config) == stored


def logged_as_in_metrics(folder):
    """How many points TensorBoard shows of one figure, after comparing them with metrics.csv."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    metrics = pd.read_csv(f"{folder}/metrics.csv", keep_default_na=False)
    rows = metrics[(metrics.split == "val") & (metrics.task == "price") & (metrics.metric == "rmse")]
    logged = EventAccumulator(folder).Reload().Scalars("val/price/rmse")
    assert [e.step for e in logged] == list(rows.step)
    assert [e.value for e in logged] == pytest.approx(list(rows.value), rel=1e-6)
    return len(logged)


def test_tensorboard_has_the_rows_of_metrics_csv_and_the_hyperparameters(table):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    summary = train("loss=uncertainty")
    events = EventAccumulator("out").Reload()
    tags = set(events.Tags()["scalars"])
    assert {"val/price/rmse", "test/kind/accuracy", "train/sold/weight", "train/rate", "train/grad_norm"} <= tags
    assert logged_as_in_metrics("out") == 3
    assert [e.step for e in events.Scalars("test/price/rmse")] == [summary["best"]["step"]]
    plugin = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"loss" in plugin and b"uncertainty" in plugin
    assert summary["settings"]["loss"]["name"] == "uncertainty"


def test_class_weights_by_class_work_from_the_command_line_to_the_files(table):
    table.assign(sold=(table.sold == "yes").astype(int)).to_csv("houses.csv", index=False)
    summary = train("tasks.sold.class_weights={0: 3}")
    assert summary["status"] == "completed" and summary["settings"]["tasks"]["sold"]["class_weights"] == {"0": 3}
    assert mtlrun.load("out").predict(table).sold.isin([0, 1]).all()


def test_a_selection_that_val_cannot_serve_is_a_wrong_request(table, capsys, tmp_path):
    table["part"] = ["train"] * 200 + ["val"] * 50 + ["test"] * 50
    table.loc[200:249, "sold"] = None
    table.to_csv("houses.csv", index=False)
    words = ["data=houses", "data.split.column=part", "trainer.select=sold", "hydra.run.dir=out"]
    assert main(words) == 2 and main(["check", *words]) == 2
    assert "trainer.select=sold: undefined" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_sweep_whose_seeds_do_not_all_work_trains_nothing(table, capsys, tmp_path):
    table["part"] = "train"
    few = [{"area": 1.0, "rooms": 1, "city": "Ulm", "kind": "hut", "sold": "no"}] * 3
    pd.concat([table.assign(sold="yes").iloc[:60], pd.DataFrame(few[:1])]).to_csv("houses.csv", index=False)
    words = ["-m", "data=houses", "only=sold", "seed=range(12)", "hydra.sweep.dir=s"]
    assert main(words) == 2
    err = capsys.readouterr().err
    assert "tasks.sold: all" in err and "(in 0" in err
    assert not (tmp_path / "s").exists()


def test_rows_of_test_and_val_do_not_reach_the_training(table):
    """Values that only evaluation sees, however large, leave every training row of metrics.csv as it was."""
    config = check(
        yaml.safe_load(Path("conf/data/houses.yaml").read_text())
        | {
            "model": {"name": "mlp", "hidden": [4], "head_hidden": []},
            "sharing": {"name": "hard"},
            "graph": {"name": "none"},
            "loss": {"name": "sum"},
            "lr": {"name": "single"},
            "optimizer": {"name": "adam"},
        }
    )
    split = load_dataset(config).split

    def training_rows(folder):
        train(folder=folder)
        metrics = pd.read_csv(f"{folder}/metrics.csv", dtype=str)
        return metrics[metrics.split == "train"]

    before = training_rows("before")
    for rows in (split.test, split.val):
        table.loc[rows[0], ["area", "price"]] = [1e12, 1e9]
    table.to_csv("houses.csv", index=False)
    pd.testing.assert_frame_equal(before, training_rows("after"))


def test_large_offsets_keep_their_digits(table):
    """A timestamp of 1.7e9 s that varies by seconds is worth as much as the seconds alone."""
    table.assign(area=table.area + 1.7e9).to_csv("houses.csv", index=False)
    moved = train("only=price", "trainer.epochs=20", folder="moved")["figures"]["test/price/r2"]
    table.to_csv("houses.csv", index=False)
    plain_ = train("only=price", "trainer.epochs=20", folder="plain")["figures"]["test/price/r2"]
    assert moved == pytest.approx(plain_, abs=1e-4)


def test_tensorboard_can_be_left_out(table, tmp_path):
    train("trainer.tensorboard=false")
    assert not list((tmp_path / "out").glob("events*"))


def test_predictions_on_the_table_give_the_figures_of_the_summary(table):
    summary = train("trainer.epochs=10", "graph=chain")
    out = mtlrun.load("out").predict(table)
    config = check(stored_config("out"))
    test = load_dataset(config).split.test
    part, truth = out.iloc[test], table.iloc[test]
    seen = truth.price.notna()
    rmse = np.sqrt(np.mean((part.price - truth.price)[seen] ** 2))
    assert rmse == pytest.approx(summary["figures"]["test/price/rmse"], rel=1e-5)
    assert np.mean(part.kind == truth.kind) == pytest.approx(summary["figures"]["test/kind/accuracy"])
    seen = truth.sold.notna()
    assert np.mean((part.sold == truth.sold)[seen]) == pytest.approx(summary["figures"]["test/sold/accuracy"])
    assert out[["kind[flat]", "kind[hut]", "kind[villa]"]].sum(axis=1).to_numpy() == pytest.approx(np.ones(300))
    assert list(out.columns) == [
        "price",
        "kind",
        "kind[flat]",
        "kind[hut]",
        "kind[villa]",
        "sold",
        "sold[no]",
        "sold[yes]",
    ]
    assert (out.index == table.index).all()


def test_predict_command_writes_a_csv_and_names_missing_columns(table, capsys):
    train()
    assert main(["predict", "out", "houses.csv", "-o", "new.csv"]) == 0
    assert len(pd.read_csv("new.csv")) == 300
    table.drop(columns=["city", "rooms"]).rename(columns={"area": "aera"}).to_csv("less.csv", index=False)
    capsys.readouterr()
    assert main(["predict", "out", "less.csv", "-o", "less_out.csv"]) == 2
    message = capsys.readouterr().err
    assert "'area'; did you mean aera?" in message and "'city'" in message and "'rooms'" in message
    assert not Path("less_out.csv").exists()


def test_parquet_of_a_part_of_a_table_is_trained_on_and_predicted_for_as_csv_is(table, capsys):
    whole = table.astype({"city": "category"})
    for name, part in (("tail", whole.tail(120)), ("second", whole.iloc[::2])):
        part.to_parquet(f"{name}.parquet")
        part.to_csv(f"{name}.csv", index=False)
        for suffix in ("csv", "parquet"):
            train(f"data.path={name}.{suffix}", folder=f"{name}_{suffix}")
            words = ["predict", f"{name}_csv", f"{name}.{suffix}", "-o", f"{name}_{suffix}.csv"]
            assert main(words) == 0
        assert Path(f"{name}_parquet/metrics.csv").read_bytes() == Path(f"{name}_csv/metrics.csv").read_bytes()
        assert Path(f"{name}_parquet.csv").read_bytes() == Path(f"{name}_csv.csv").read_bytes()
        assert len(pd.read_csv(f"{name}_parquet.csv")) == len(part)


def test_predict_names_what_is_wrong_with_its_words(table, capsys):
    words = ["-m", "data=houses", *SMALL, "seed=0,1", "hydra.launcher.processes=1", "hydra.sweep.dir=above/sweep"]
    assert main(words) == 0
    run = str(Path("above/sweep/000_seed=0"))
    for folder, what in (("above/sweep", "this is a sweep"), ("above", "this folder holds runs")):
        named = (["predict", folder, "houses.csv", "-o", "new.csv"], ["export", folder, "-o", "new.onnx"])
        for command in named if folder == "above" else ():  # the runs of a sweep predict together: test_ensemble.py
            capsys.readouterr()
            assert main(command) == 2
            assert capsys.readouterr().err == (
                f"mtlrun: {folder}: no trained model (checkpoints/best.pt)\n"
                f"{what}: name one of its runs, such as {folder}/{Path(run).relative_to(folder)}\n"
            )
        assert main(["data=houses", *SMALL, f"model.init_from={folder}"]) == 2
        assert f"{what}: name one of its runs, such as" in capsys.readouterr().err
    for command in (["predict", run, "houses.csv", "-o", "new.csv"], ["export", run, "-o", "new.onnx"]):
        assert main([*command, "--tasks", "price,sold,price"]) == 2
        assert capsys.readouterr().err == "mtlrun: --tasks: price is given 2 times\nallowed: every task once\n"
    assert main(["predict", run, "house.csv", "-o", "new.csv"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("mtlrun: predict: there is no file ") and "did you mean houses.csv?" in message
    Path("one.csv").write_text("area,rooms\n1,5,2\n")
    assert main(["init", "one.csv", "--targets", "rooms"]) == 2
    assert capsys.readouterr().err == (
        "mtlrun: init: one.csv cannot be read (2 column names, but 3 fields in the first row)\n"
        "allowed: comma-separated values with one line of column names\n"
    )
    assert not Path("new.csv").exists() and not Path("new.onnx").exists() and not Path("conf/data/one.yaml").exists()


def test_predict_counts_values_that_no_training_row_had(table, capsys):
    train()
    table.assign(city=["Atlantis"] * 7 + list(table.city[7:])).to_csv("new.csv", index=False)
    capsys.readouterr()
    assert main(["predict", "out", "new.csv", "-o", "predictions.csv"]) == 0
    said = capsys.readouterr().out
    assert (
        "city: 7 rows hold values that are new to the model or too rare in training, and count as unknown: 'Atl" in said
    )
    model = mtlrun.load("out")
    pd.testing.assert_frame_equal(model.predict("new.csv"), model.predict(model.read("new.csv")))


def test_unknown_categories_and_missing_values_are_predicted_for(table):
    train()
    rows = table.head(3).copy()
    rows["city"] = ["Atlantis", None, "Bonn"]
    rows["area"] = np.nan
    out = mtlrun.load("out").predict(rows)
    assert np.isfinite(out.price).all() and out.kind.isin(["flat", "hut", "villa"]).all()


def test_the_same_command_gives_the_same_bytes(table):
    train("loss=uncertainty", folder="one")
    train("loss=uncertainty", folder="two")
    assert Path("one/metrics.csv").read_text() == Path("two/metrics.csv").read_text()


def test_a_single_task_run_keeps_split_and_order_of_the_joint_run(table):
    train(folder="joint")
    train("only=price", folder="alone")
    datasets = {name: load_dataset(check(stored_config(name))) for name in ("joint", "alone")}
    for part, rows in datasets["joint"].split.parts().items():
        assert np.array_equal(rows, getattr(datasets["alone"].split, part))
    figures = json.loads(Path("alone/summary.json").read_text())["figures"]
    assert {k.split("/")[1] for k in figures} == {"price"}


def test_a_finished_run_is_not_trained_again(table, capsys):
    train()
    before = Path("out/metrics.csv").read_text()
    assert main(["resume", "out"]) == 0
    assert "finished already" in capsys.readouterr().out
    assert Path("out/metrics.csv").read_text() == before


def kill_after_first_checkpoint(folder, *overrides):
    """Start a long run in a process of its own and kill it as soon as it has a checkpoint."""
    code = f"""
import os, signal
from mtlrun.engine import checkpoint, saving
saving.CHECKPOINT_SECONDS = 0
save = checkpoint.save
def once(path, tree, durable=False):
    save(path, tree)
    os.kill(os.getpid(), signal.SIGKILL)
checkpoint.save = once
from mtlrun.cli.main import main
from mtlrun.config.check import check
from mtlrun.config.schema import as_mapping
from mtlrun.data.dataset import load_dataset
main({last_of([*PLAIN_WORDS, "data=houses", *SMALL, f"hydra.run.dir={folder}", *overrides])!r})
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == -9


def test_a_killed_run_resumed_from_the_command_line_ends_as_if_it_had_not_been_killed(table, tmp_path):
    overrides = ["loss=uncertainty", "model.dropout=0.1", "trainer.epochs=6"]
    whole = train(*overrides, folder="whole")
    kill_after_first_checkpoint("parts", *overrides)
    assert json.loads(Path("parts/summary.json").read_text())["status"] == "running"
    assert 0 < checkpoint.load(tmp_path / "parts/checkpoints/last.pt")["step"] < whole["steps"]
    assert main(["resume", "parts"]) == 0
    assert Path("whole/metrics.csv").read_text() == Path("parts/metrics.csv").read_text()
    resumed = json.loads(Path("parts/summary.json").read_text())
    assert resumed["figures"] == whole["figures"] and resumed["status"] == "completed"
    assert logged_as_in_metrics("parts") == logged_as_in_metrics("whole") == 6


def test_a_run_without_a_checkpoint_is_resumed_from_its_beginning(table):
    whole = train(folder="whole")
    shutil.copytree("whole", "parts")
    shutil.rmtree("parts/checkpoints")
    summary = json.loads(Path("parts/summary.json").read_text()) | {"status": "running"}
    Path("parts/summary.json").write_text(json.dumps(summary))
    assert main(["resume", "parts"]) == 0
    assert Path("whole/metrics.csv").read_text() == Path("parts/metrics.csv").read_text()
    assert json.loads(Path("parts/summary.json").read_text())["figures"] == whole["figures"]
    assert logged_as_in_metrics("parts") == logged_as_in_metrics("whole") == 3  # the first attempt's are hidden


def test_resuming_refuses_changed_data(table, capsys):
    train(folder="out")
    summary = json.loads(Path("out/summary.json").read_text()) | {"status": "interrupted"}
    Path("out/summary.json").write_text(json.dumps(summary))
    table.assign(rooms=1).to_csv("houses.csv", index=False)
    assert main(["resume", "out"]) == 2
    assert "data.path" in capsys.readouterr().err


def test_checkpoints_hold_plain_values_and_newer_ones_are_refused(table, tmp_path):
    train()
    tree = checkpoint.load(tmp_path / "out/checkpoints/best.pt")
    assert tree["schema"] == 1 and tree["config"]["loss"]["name"] == "sum"
    checkpoint.save(tmp_path / "newer.pt", {"schema": 2})
    with pytest.raises(RequestError, match="schema 2"):
        checkpoint.load(tmp_path / "newer.pt")
    (tmp_path / "broken.pt").write_bytes(b"no checkpoint")
    with pytest.raises(RequestError, match="not a readable checkpoint"):
        checkpoint.load(tmp_path / "broken.pt")


def test_loading_a_folder_without_a_model_says_what_to_do(tmp_path):
    with pytest.raises(RequestError, match="no trained model"):
        mtlrun.load(tmp_path)
    with pytest.raises(RequestError, match="holds no run"):
        single.resume(tmp_path)


def test_cuda_asked_for_and_absent_is_a_wrong_request(table, capsys, tmp_path):
    import torch

    if torch.cuda.is_available():
        name = f"cuda:{torch.cuda.device_count()}"
    else:
        name = "cuda"
    assert main(["data=houses", f"trainer.device={name}", "hydra.run.dir=out"]) == 2
    assert f"trainer.device: {name} asked for" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [[], ["check"]])
def test_a_network_beyond_this_machine_is_a_wrong_request(table, capsys, tmp_path, words):
    assert main([*words, "data=houses", "model.hidden=[100000000,100000000]", "hydra.run.dir=out"]) == 2
    assert "parameters need" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_init_takes_a_column_whose_name_holds_a_comma_and_leaves_nonsense_without_a_type(table, capsys):
    odd = table.assign(**{"a,b": table.rooms}, worth=table.rooms.index.astype(str).where(table.index != 7, "x7"))
    odd.to_csv("odd.csv", index=False)
    assert main(["init", "odd.csv", "--targets", '"a,b", worth']) == 0
    tasks = yaml.safe_load(Path("conf/data/odd.yaml").read_text())["tasks"]
    assert tasks == {"a_b": {"type": "categorical", "target": "a,b"}, "worth": {}}
    capsys.readouterr()
    assert main(["data=odd"]) == 2
    assert "tasks.worth.type: none is given" in capsys.readouterr().err


def test_check_shows_everything_and_trains_nothing(table, capsys, tmp_path):
    assert main(["check", "data=houses", "graph.receives.price.kind=stop"]) == 0
    text = capsys.readouterr().out
    for expected in (
        " price: loss mse, primary metric rmse",
        "3 classes: flat",
        "kind =stop=> price",
        "train 210, val 45, test 45 rows; at random, data.split.seed=0",
        "city 3",
        "learning rates: 0.001 everywhere",
    ):
        assert expected in text, expected
    assert re.search(r" price +regression +\d+ +\d+ +\d+  mean ", text)
    assert not (tmp_path / "outputs").exists()
