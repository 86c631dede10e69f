"""Folders that earlier versions have left are read, and those of newer ones refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from outcomes import outcome

STORED = sorted((Path(__file__).parent / "stored").iterdir())  # made by make_stored.py, a folder for each version


@pytest.fixture(params=STORED, ids=lambda folder: folder.name)
def stored(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory in which a version was used, on this machine."""
    here = tmp_path / "here"
    shutil.copytree(request.param, here)
    for path in here.rglob("*"):
        if path.is_file() and path.suffix != ".pt":
            path.write_text(path.read_text(encoding="utf-8").replace("/stored", str(here)), encoding="utf-8")
    monkeypatch.chdir(here)
    return here


def summary(run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(run, "summary.json").read_text())
    return found


def test_a_model_predicts_what_it_predicted(stored: Path) -> None:
    assert outcome(["predict", "run", "houses.csv", "-o", "again.csv"]) == 0
    before, now = pd.read_csv("predictions.csv"), pd.read_csv("again.csv")
    assert list(before) == list(now)
    for name in before:
        if before[name].dtype.kind == "f":
            np.testing.assert_allclose(now[name], before[name], rtol=1e-4, atol=1e-5)
        else:
            assert (now[name] == before[name]).mean() > 0.99


def test_an_interrupted_run_goes_on(stored: Path) -> None:
    rows = Path("interrupted/metrics.csv").read_text().splitlines()
    assert outcome(["resume", "interrupted"]) == 0
    found = summary("interrupted")
    assert found["status"] == "completed" and found["steps"] > 0
    # what stood up to the checkpoint stands there still, and the rest is as the same command gives it now
    assert Path("interrupted/metrics.csv").read_text().splitlines()[: len(rows) // 2] == rows[: len(rows) // 2]
    words = Path("interrupted/.hydra/overrides.yaml").read_text().splitlines()
    assert outcome([*(w.removeprefix("- ") for w in words if "hydra" not in w), "hydra.run.dir=anew"]) == 0
    for name, value in summary("anew")["figures"].items():
        assert found["figures"][name] == pytest.approx(value, rel=0.02, abs=0.02), name


def test_a_finished_run_says_so(stored: Path) -> None:
    assert outcome(["resume", "run"]) == 0
    assert outcome(["resume", "sweep"]) == 0


def test_an_interrupted_sweep_goes_on(stored: Path) -> None:
    assert outcome(["resume", "interrupted_sweep"]) == 0
    table = pd.read_csv("interrupted_sweep/results.csv")
    assert list(table.status) == ["completed"] * 4 and table["test/price/rmse"].notna().all()


def test_runs_are_compared_with_new_ones(stored: Path) -> None:
    before = pd.read_csv("sweep/results.csv")
    assert (
        outcome(
            [
                "-m",
                "data=houses",
                "model.hidden=[4]",
                "model.head_hidden=[4]",
                "trainer.batch_size=16",
                "trainer.epochs=4",
                "loss=gls",
                "seed=2",
                "hydra.sweep.dir=more",
            ]
        )
        == 0
    )
    assert outcome(["compare", "sweep", "more", "--format", "csv", "-o", "out"]) == 0
    rows = pd.read_csv("out/comparison.csv").set_index("loss")
    assert str(rows.loc["gls", "seeds"]) == "0 1 2"
    mean = before[before.loss == "sum"]["test/sold/auroc"].mean()
    assert rows.loc["sum", "sold/auroc"] == pytest.approx(mean, abs=1e-9)


def test_a_trunk_is_taken_over(stored: Path) -> None:
    words = [
        "data=houses",
        "model.hidden=[4]",
        "model.head_hidden=[4]",
        "trainer.batch_size=16",
        "trainer.epochs=1",
        "model.init_from=run",
        "model.freeze=true",
        "hydra.run.dir=next",
    ]
    assert outcome(words) == 0
    old, new = (torch.load(Path(r, "checkpoints/best.pt"), weights_only=True)["network"] for r in ("run", "next"))
    shared = [name for name in old if name.startswith("sharing.")]
    assert shared and all(torch.equal(old[name], new[name]) for name in shared)


def newer(path: Path) -> None:
    """The same file as a newer version might write it."""
    if path.suffix == ".pt":
        torch.save(torch.load(path, weights_only=True) | {"schema": 2}, path)
    else:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 2}))


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("run/summary.json", ["resume", "run"]),
        ("run/summary.json", ["compare", "run"]),
        ("interrupted/summary.json", ["resume", "interrupted"]),
        ("interrupted/checkpoints/last.pt", ["resume", "interrupted"]),
        ("run/checkpoints/best.pt", ["predict", "run", "houses.csv", "-o", "p.csv"]),
        ("run/checkpoints/best.pt", ["export", "run", "-o", "m.onnx"]),
        ("run/checkpoints/best.pt", ["data=houses", "model.hidden=[4]", "model.init_from=run", "hydra.run.dir=n"]),
        ("interrupted_sweep/000_loss=sum,seed=0/summary.json", ["resume", "interrupted_sweep"]),
        ("sweep/000_loss=sum,seed=0/summary.json", ["compare", "sweep"]),
    ],
)
def test_what_a_newer_version_wrote_is_refused_and_left_alone(
    stored: Path, file: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from mtlrun.cli.main import main

    newer(Path(file))
    before = {path: path.read_bytes() for path in stored.rglob("*") if path.is_file() and ".lock" not in path.name}
    assert main(words) == 2
    assert "this mtlrun reads up to 1\nuse a newer mtlrun" in capsys.readouterr().err
    after = {path: path.read_bytes() for path in stored.rglob("*") if path.is_file() and ".lock" not in path.name}
    changed = [
        path for path in before if after.get(path) != before[path] and path.name not in ("run.log", "results.csv")
    ]
    assert not changed and not set(after) - set(before) - {stored / "run.log"}
