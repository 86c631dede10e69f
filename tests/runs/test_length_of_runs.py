"""The length of a run by default: on a small table, in its files, on resuming, in a sweep."""

import json
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support import by_rule

from mtlrun.cli.main import main
from mtlrun.config import length
from mtlrun.storage.progress import Progress

SMALL = ("model.hidden=[4]", "model.head_hidden=[]", "trainer.tensorboard=false", "trainer.threads=1")
TASKS = "tasks={price: {type: regression}, sold: {type: binary}}"
WORDS = ("data=table", "data.path=homes.csv", TASKS, *SMALL)


@pytest.fixture(autouse=True)
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of 418 rows, a fifth of whose prices are missing, in the working directory."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(418, 3))
    price = x @ [1, 2, 3] + rng.normal(size=418)
    sold = np.where(x[:, 0] + rng.normal(size=418) > 0, "yes", "no")
    price[rng.random(418) < 0.2] = np.nan
    pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "price": price, "sold": sold}).to_csv("homes.csv")


def summary(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(folder, "summary.json").read_text())
    return found


def test_a_small_table_trains_a_thousand_steps_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, *by_rule(), "hydra.run.dir=run"]) == 0
    run, out = summary("run"), capsys.readouterr().out
    assert run["steps"] >= 1000 and run["settings"]["trainer"]["epochs"] == "auto"
    given = {"rows": 293, "batch_size": 64, "steps": 2000, "evaluate_every": 50, "patience_steps": 667}
    assert run["length"] == given
    line = "trains 2,000 steps of 64 rows, about 500 epochs; evaluates every 50 steps; stops after 667 steps without a "
    assert line in out and line in Path("run/run.log").read_text()
    metrics = pd.read_csv("run/metrics.csv")
    on_val = metrics[(metrics.split == "val") & (metrics.task == "price") & (metrics.metric == "loss")]
    assert list(on_val.step[:3]) == [50, 100, 150] and list(on_val.epoch[:3]) == [13, 25, 38]


def test_check_says_the_length_and_warns_of_few_steps(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *WORDS, *by_rule()]) == 0
    out = capsys.readouterr().out
    assert "trains 2,000 steps of 64 rows" in out and "few steps" not in out
    assert main(["check", *WORDS, *by_rule(epochs=5)]) == 0
    out = capsys.readouterr().out
    assert "trains 20 steps of 64 rows, about 5 epochs; evaluates every 4 steps; does not stop early" in out
    assert "few steps: trainer.epochs=5 makes 20; trainer.epochs=auto makes 2,000" in out.partition("\ntable ")[0]


def test_a_resumed_run_keeps_its_length(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS, *by_rule(patience="null"), "lr.schedule=cosine"]
    monkeypatch.setattr(length, "FEWEST_STEPS", 400)
    assert main([*words, "hydra.run.dir=whole"]) == 0
    step = Progress.step

    def interrupted(self: Progress, taken: int, losses: Any) -> None:
        if taken == 150:
            signal.raise_signal(signal.SIGINT)
        step(self, taken, losses)

    with monkeypatch.context() as patched:
        patched.setattr(Progress, "step", interrupted)
        assert main([*words, "hydra.run.dir=parts"]) == 130
    monkeypatch.setattr(length, "FEWEST_STEPS", 5000)  # a later version with another rule
    monkeypatch.setattr(length, "BATCHES", ((1000, 16),))
    assert main(["resume", "parts"]) == 0
    whole, parts = summary("whole"), summary("parts")
    assert parts["length"] == whole["length"] and parts["steps"] == whole["steps"] == 400
    assert parts["figures"] == whole["figures"]


def test_a_sweep_says_its_lengths_and_counts_what_is_not_trained(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-m", *WORDS, *by_rule(epochs=2), "seed=range(7)", "loss=sum,uncertainty", "lr.base=0.01"]
    assert main([*words, "hydra.sweep.dir=sweep"]) == 0
    out = capsys.readouterr().out
    assert "\ntrains 8 steps of 64 rows, about 2 epochs; evaluates every 4 steps; does not stop early\n" in out
    assert "14 of 14 nets take fewer than 500 steps: trainer.epochs" in out
    (line,) = [line for line in out.splitlines() if ": train longer: trainer.epochs=auto" in line]
    assert re.match(r"\d+ of 14 nets (was still|were still|took fewer than 100 steps)", line)
    log = next(Path("sweep").glob("*/run.log")).read_text()
    assert "trains 8 steps of 64 rows" in log and "train longer: trainer.epochs=auto" in log
    assert main(["compare", "sweep"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"\d+ of 14 nets (was still|were still|took fewer than 100 steps).*: this comparison says", said)
    assert "not trained to the end" in said and not re.search(r"\b([Bb]etter than|[Ww]orse than|is the best)\b", said)
