"""The model to keep: trained on all rows for the length that another run chose on val."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from commands import refused

import mtlrun
from mtlrun.cli.main import main
from mtlrun.compose.length_of import KEY
from mtlrun.engine import checkpoint
from mtlrun.engine.signals import Signals
from mtlrun.util.errors import Interrupted

WORDS = ["data=table", "data.path=t.csv", "data.inputs=[u,v]", "tasks={y: {}, k: {}}"]
SMALL = ["trainer.threads=1", "trainer.tensorboard=false", "model.hidden=[6]", "model.head_hidden=[]"]
LENGTH = ["trainer.epochs=8", "trainer.batch_size=32"]
ALL = ["data.split.val=0", "data.split.test=0"]
KEPT = ["seed=0,1", "hydra.sweep.dir=kept", "hydra.launcher.processes=1"]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """A table of 160 rows with gaps and weights, in the working directory."""
    monkeypatch.chdir(tmp_path)
    luck = np.random.default_rng(0)
    frame = pd.DataFrame(luck.normal(size=(160, 2)), columns=["u", "v"])
    frame["y"] = 40 + 10 * frame.u + luck.normal(size=160)
    frame["k"] = np.where(frame.v + luck.normal(size=160) > 0, "yes", "no")
    frame.loc[::9, "u"] = np.nan
    frame["w"] = luck.uniform(0.5, 2, 160)
    frame.to_csv("t.csv", index=False)
    return frame


def train(*words: str, folder: str) -> dict[str, Any]:
    assert main([*WORDS, *SMALL, *words, f"hydra.run.dir={folder}"]) == 0
    summary: dict[str, Any] = json.loads(Path(folder, "summary.json").read_text())
    return summary


def parameters(folder: str, name: str) -> dict[str, torch.Tensor]:
    tree: dict[str, torch.Tensor] = checkpoint.load(Path(folder, "checkpoints/best.pt"))[name]
    return tree


@pytest.mark.parametrize("more", [[], ["data.weight=w", "sharing=mmoe", "loss=uncertainty"], ["data.split.column=k"]])
def test_a_run_on_all_rows_takes_the_steps_of_the_selected_checkpoint(
    more: list[str], table: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = train(*LENGTH, folder="chosen")
    step = chosen["best"]["step"]
    capsys.readouterr()
    kept = train(*ALL, f"{KEY}=chosen", *more, folder="kept")
    said = capsys.readouterr().out
    assert f"{KEY}: {step} steps of 32 rows, as chosen in {Path('chosen').resolve()}" in said
    assert f"trained on all 160 rows for {step} steps, the length of chosen" in said
    assert ("other settings there (" in said and "loss=sum" in said) == ("loss=uncertainty" in more)
    assert kept["status"] == "completed" and kept["rows"] == {"table": 160, "train": 160, "val": 0, "test": 0}
    assert kept["steps"] == kept["best"]["step"] == step and kept["best"]["by"] == "length"
    assert kept["trivial"] == {} and all(name.startswith("train/") for name in kept["figures"])
    assert kept["settings"]["trainer"]["length_of"] == str(Path("chosen").resolve())
    splits = {line.split(",")[2] for line in Path("kept/metrics.csv").read_text().splitlines()[1:]}
    assert splits == {"train"}
    mean = parameters("kept", "network")["encoder.mean"][0]
    np.testing.assert_allclose(mean, table[["u", "v"]].mean())
    last = checkpoint.load(Path("kept/checkpoints/last.pt"))
    assert torch.equal(last["values"], last["best_values"])  # the last parameters are kept


def test_predict_export_resume_and_check_take_such_a_run(
    table: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    train(*LENGTH, folder="chosen")
    train(*ALL, f"{KEY}=chosen", folder="kept")
    assert main(["predict", "kept", "t.csv", "-o", "out.csv"]) == 0
    assert len(pd.read_csv("out.csv")) == 160
    capsys.readouterr()
    assert main(["export", "kept", "-o", "model.onnx"]) == 0
    assert "parity with predict on 160 rows of train and 64 made up" in capsys.readouterr().out
    assert main(["resume", "kept"]) == 0
    assert main(["check", *WORDS, *SMALL, *ALL, f"{KEY}=chosen"]) == 0
    assert "train 160, val 0, test 0 rows; all rows are train\n" in capsys.readouterr().out


def test_an_interrupted_run_is_resumed_without_the_run_that_chose_its_length(
    table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(*LENGTH, folder="chosen")
    words = [*ALL, f"{KEY}=chosen", "model.dropout=0.1"]
    whole = train(*words, folder="whole")
    steps = iter(range(10**6))

    def interrupt_at(self: Signals) -> None:
        if next(steps) == 7:
            raise Interrupted(2)

    with monkeypatch.context() as patch:
        patch.setattr(Signals, "raise_received", interrupt_at)
        assert main([*WORDS, *SMALL, *words, "hydra.run.dir=parts"]) == 130
    Path("chosen").rename("moved")
    assert main(["resume", "parts"]) == 0
    assert json.loads(Path("parts/summary.json").read_text())["figures"] == whole["figures"]
    assert Path("whole/metrics.csv").read_text() == Path("parts/metrics.csv").read_text()
    ours, theirs = parameters("parts", "network"), parameters("whole", "network")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_of_a_sweep_the_length_is_the_median_and_the_kept_runs_form_an_ensemble(
    table: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-m", *WORDS, *SMALL, *LENGTH, "loss=sum,uncertainty", "seed=0,1,2", "hydra.sweep.dir=sweep"]) == 0
    runs = [json.loads(path.read_text()) for path in sorted(Path("sweep").glob("*loss=sum*/summary.json"))]
    median = round(np.median([run["best"]["step"] for run in runs]))
    capsys.readouterr()
    assert (
        main(
            [
                "-m",
                *WORDS,
                *SMALL,
                *ALL,
                f"{KEY}=sweep",
                "seed=0,1",
                "hydra.sweep.dir=kept",
                "hydra.launcher.processes=1",
            ]
        )
        == 0
    )
    said = capsys.readouterr().out
    assert "predict with their mean: mtlrun predict kept TABLE -o OUT.csv" in said and "compare:" not in said
    kept = [json.loads(path.read_text()) for path in sorted(Path("kept").glob("*/summary.json"))]
    assert [run["steps"] for run in kept] == [median, median] and kept[0]["stack"]["size"] == 2
    assert mtlrun.load("kept").predict("t.csv").shape == (160, 5)  # y, its spread, k, two probabilities
    assert "trained without test rows, so there is nothing to compare" in refused(["compare", "kept"], capsys)
    assert main(["compare", "sweep", "kept", "-o", "out"]) == 0
    assert "no test rows: kept/000_seed=0: trained without test rows, and left out" in capsys.readouterr().out


def test_the_length_of_a_sweep_is_that_of_its_nets(table: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    arms = "arms=[{model: boosting, model.iterations: 3}, {model.hidden: [6], trainer.epochs: 4}]"
    short = ["trainer.tensorboard=false", "trainer.batch_size=32", "seed=0,1", "hydra.sweep.dir=both"]
    assert main(["-m", *WORDS, arms, *short]) == 0
    kept = train(*ALL, f"{KEY}=both", folder="kept")
    chosen = [json.loads(path.read_text())["best"] for path in sorted(Path("both").glob("*/summary.json"))]
    steps = [best["step"] for best in chosen if "iterations" not in best]
    assert len(steps) == 2 and kept["steps"] == round(sum(steps) / 2)
    assert "the median of 2 runs" in capsys.readouterr().out


def test_wrong_requests_say_what_to_type(table: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    train(*LENGTH, folder="chosen")
    assert main([*WORDS, "model=boosting", "model.iterations=3", "hydra.run.dir=trees"]) == 0
    sizes = ["trainer.epochs=2", "trainer.batch_size=16,32", "hydra.sweep.dir=sizes"]
    assert main(["-m", *WORDS, *SMALL, *sizes]) == 0
    Path("empty").mkdir()
    text = Path("chosen/summary.json").read_text().replace('"completed"', '"interrupted"')
    Path("broken").mkdir()
    Path("broken/summary.json").write_text(text)
    for typed, answer in {
        "": "data.split: val is 0 and test 0, so there are no rows to choose the length of the training by\n"
        f"name the run that chose it: {KEY}=outputs/runs/RUN\n",
        "data.split.test=0.2": "data.split: val is 0 and test 0.2\nallowed: val above 0, or both 0",
        f"data.split.val=0.1 data.split.test=0.1 {KEY}=chosen": f"{KEY}: only to train on all rows",
        f"model=boosting {KEY}=chosen": "data.split: val is 0, and model=boosting chooses its iterations on val\n",
        f"{KEY}=chosen trainer.importance=true": "trainer.importance: needs rows of test\n",
        "data.split.val=0.2 trainer.importance=true": "trainer.importance: needs rows of test\n",
        f"{KEY}=chosen model.pretrain=[k]": "model.pretrain: with data.split.val=0 the first stage has no length\n",
        f"{KEY}=nowhere": f"{KEY}: there is no folder",
        f"{KEY}=empty": f"{KEY}: {Path('empty').resolve()} holds no run\n",
        f"{KEY}=broken": f"{KEY}: {Path('broken').resolve()} is not completed, so it has chosen no length\n",
        f"{KEY}=trees": f"{KEY}: {Path('trees').resolve()} has model=boosting, whose length is in iterations\n",
        f"{KEY}=sizes": f"{KEY}: the runs in {Path('sizes').resolve()} have batches of 16, 32 rows\n",
    }.items():
        small, words = [] if "boosting" in typed else SMALL, typed.split()
        zeros = [word for word in ALL if not any(other.startswith(word[:-1]) for other in words)]
        assert refused([*WORDS, *small, *zeros, *words, "hydra.run.dir=none"], capsys).startswith(answer)
    assert not Path("none").exists()


@pytest.mark.parametrize(
    "model", [[*SMALL, "trainer.epochs=3", "trainer.calibrate=true"], ["model=boosting", "model.iterations=4"]]
)
def test_a_run_may_have_val_and_no_test(
    table: pd.DataFrame, capsys: pytest.CaptureFixture[str], model: list[str]
) -> None:
    words = [*WORDS, *model, "data.split.train=0.8", "data.split.val=0.2", "data.split.test=0"]
    assert main([*words, "hydra.run.dir=kept"]) == 0
    assert "val  " in capsys.readouterr().out, "its closing table shows the figures of val"
    kept = json.loads(Path("kept/summary.json").read_text())
    assert kept["rows"] == {"table": 160, "train": 128, "val": 32, "test": 0}
    assert {name.split("/")[0] for name in kept["figures"]} == {"train", "val"}
    assert mtlrun.load("kept").predict("t.csv", interval=0.8).columns[:3].tolist() == ["y", "y[low]", "y[high]"]
    assert "trained without test rows" in refused(["compare", "kept"], capsys)
