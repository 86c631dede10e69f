"""Checkpoints that belong to another run are refused by every command that reads them."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from commands import main

from mtlrun.engine import checkpoint
from mtlrun.storage.progress import Progress

SMALL = [
    "data=table",
    "data.path=t.csv",
    "tasks={price: {type: regression}, sold: {type: binary}}",
    "model.hidden=[4]",
    "trainer.epochs=2",
    "trainer.batch_size=16",
    "trainer.tensorboard=false",
    "trainer.threads=1",
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    table(0)
    return tmp_path


def table(shift: int) -> None:
    rows = range(80)
    columns = {
        "x": [i % 7 for i in rows],
        "price": [(i * 37 + shift) % 11 for i in rows],
        "sold": [i % 2 for i in rows],
    }
    pd.DataFrame(columns).to_csv("t.csv", index=False)


def train(folder: str, *words: str) -> None:
    assert main([*SMALL, *words, f"hydra.run.dir={folder}"]) == 0


def commands(folder: str) -> list[list[str]]:
    return [["predict", folder, "t.csv", "-o", "a.csv"], ["export", folder, "-o", "a.onnx"], ["resume", folder]]


@pytest.mark.parametrize(
    "words, difference",
    [
        (["loss=pcgrad"], "loss is pcgrad there and sum in summary.json"),
        (["seed=5"], "seed is 5 there and 0 in summary.json"),
        (["model.hidden=[5]"], "model.hidden is [5] there and [4] in summary.json"),
    ],
)
def test_the_model_of_another_run_is_refused(
    words: list[str], difference: str, capsys: pytest.CaptureFixture[str]
) -> None:
    train("one", "seed=0")
    train("two", "seed=0", *words)
    for command in commands("one"):
        assert main(command) == 0
    Path("a.csv").unlink()
    Path("a.onnx").unlink()
    shutil.copy("two/checkpoints/best.pt", "one/checkpoints/best.pt")
    use = [*SMALL, "model.init_from=one", "hydra.run.dir=three"]
    capsys.readouterr()
    for command in [*commands("one"), use]:
        assert main(command) == 2
        error = capsys.readouterr().err
        assert "one/checkpoints/best.pt: is the checkpoint of another run" in error and difference in error
        assert "Traceback" not in error and len(error.strip().splitlines()) == 2
    assert not Path("a.csv").exists() and not Path("three").exists()


def test_a_model_of_another_table_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The same settings, and the file has changed between the two runs."""
    train("one")
    table(3)
    train("two")
    shutil.copy("two/checkpoints/best.pt", "one/checkpoints/best.pt")
    capsys.readouterr()
    assert main(["predict", "one", "t.csv", "-o", "a.csv"]) == 2
    assert "another run (the content of the table)" in capsys.readouterr().err


def test_what_an_older_version_did_not_store_is_not_compared() -> None:
    """No hash of the table in best.pt, a setting that summary.json lacks, or no summary.json at all."""
    train("one")
    path, recorded = Path("one/checkpoints/best.pt"), Path("one/summary.json")
    tree = checkpoint.load(path)
    del tree["data_hash"]
    tree["config"]["trainer"]["goal"] = None
    checkpoint.save(path, tree)
    summary = json.loads(recorded.read_text())
    del summary["settings"]["trainer"]["goal"]
    recorded.write_text(json.dumps(summary))
    for command in commands("one"):
        assert main(command) == 0
    recorded.unlink()
    assert main(["predict", "one", "t.csv", "-o", "b.csv"]) == 0


def interrupted(folder: str, *words: str) -> None:
    """A run that was interrupted after step 3."""
    step = Progress.step

    def stopping(self: Progress, number: int, losses: Any) -> None:
        step(self, number, losses)
        if number == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "step", stopping)
        assert main([*SMALL, *words, f"hydra.run.dir={folder}"]) == 130


def test_a_finished_sweep_with_the_model_of_another_run_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "-m", "seed=0,1", "hydra.sweep.dir=s", "hydra.launcher.processes=1"]) == 0
    assert main(["resume", "s"]) == 0
    shutil.copy("s/000_seed=0/checkpoints/best.pt", "s/001_seed=1/checkpoints/best.pt")
    capsys.readouterr()
    assert main(["resume", "s"]) == 2
    found = capsys.readouterr().err
    assert "s/001_seed=1/checkpoints/best.pt: is the checkpoint of another run (seed is 0 there and 1 in" in found


def test_an_interrupted_run_gives_its_best_model_so_far(capsys: pytest.CaptureFixture[str]) -> None:
    """In predict, export and init_from, each with a line that says so; before the first evaluation there is none."""
    words = ["trainer.epochs=50", "trainer.evaluate_every=2"]
    interrupted("one", *words)
    capsys.readouterr()
    line = "one: interrupted at step 3; its best model so far is that of step 2 (finish: mtlrun resume one)"
    for command in [*commands("one")[:2], [*SMALL, "model.init_from=one", "hydra.run.dir=next"]]:
        assert main(command) == 0
        assert line in capsys.readouterr().out
    assert main([*SMALL, "trainer.max_steps=2", "trainer.evaluate_every=2", "hydra.run.dir=two"]) == 0
    assert main(["predict", "two", "t.csv", "-o", "two.csv"]) == 0
    assert "so far" not in capsys.readouterr().out
    assert Path("two.csv").read_text() == Path("a.csv").read_text()
    assert main(["resume", "one"]) == 0
    capsys.readouterr()
    assert main(["predict", "one", "t.csv", "-o", "b.csv"]) == 0
    assert "so far" not in capsys.readouterr().out
    interrupted("three", "trainer.epochs=50", "trainer.evaluate_every=4")
    assert main(["predict", "three", "t.csv", "-o", "three.csv"]) == 2
    assert "three: no trained model (checkpoints/best.pt)\nfinish it: mtlrun resume three" in capsys.readouterr().err


def forget(tree: dict[str, Any]) -> None:
    for member in tree["members"]:
        del member["config_hash"]


@pytest.mark.parametrize("change, status", [(None, 2), (forget, 0)], ids=["new", "of an older version"])
def test_a_state_of_another_run_does_not_go_on(
    change: Callable[[dict[str, Any]], None] | None, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the hash, which older versions did not store, the state is taken as before."""
    interrupted("one", "lr.base=0.001")
    interrupted("two", "lr.base=0.002")
    state = checkpoint.load(Path("two/checkpoints/last.pt"))
    if change is not None:
        change(state)
    checkpoint.save(Path("one/checkpoints/last.pt"), state)
    before = Path("one/metrics.csv").read_bytes()
    capsys.readouterr()
    assert main(["resume", "one"]) == status
    if status:
        error = capsys.readouterr().err
        assert "one/checkpoints/last.pt: is the checkpoint of another run (configuration" in error
        assert Path("one/metrics.csv").read_bytes() == before
