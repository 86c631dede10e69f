"""What `mtlrun log` sends, says and leaves out, with a tool that keeps it in memory."""

import json
from pathlib import Path

import pytest

from mtlrun.cli.main import main
from mtlrun.trackers import send
from mtlrun.trackers.content import Content
from mtlrun.trackers.tracker import Tracker

KEPT: list[tuple[str, str | None]] = []  # what was sent: the name of a run, and of its sweep; of a sweep None


class MemoryTracker(Tracker):
    keys: set[str]

    def __init__(self, project: str, uri: str | None) -> None:
        self.place, self.keys = f"memory, project {project}", KEYS.setdefault(project, set())

    def has(self, content: Content) -> bool:
        return content.key in self.keys

    def add_sweep(self, sweep: Content) -> None:
        KEPT.append((sweep.name, None))

    def add_run(self, run: Content, sweep: Content | None) -> None:
        self.keys.add(run.key)
        KEPT.append((run.name, "" if sweep is None else sweep.name))


KEYS: dict[str, set[str]] = {}


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    KEPT.clear()
    KEYS.clear()
    monkeypatch.setitem(send.TOOLS, "memory", (__name__, "MemoryTracker", "MEMORY_PROJECT"))


def status(folder: Path, word: str) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | {"status": word, "error": "a reason"}))


def test_a_sweep_then_its_runs_and_nothing_twice(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", str(sweep), "--to", "memory"]) == 0
    assert KEPT[0] == ("sweep", None) and [parent for _, parent in KEPT[1:]] == ["sweep"] * 4
    assert capsys.readouterr().out == "sweep: sent 4 runs\nmemory, project diamonds\n"
    assert main(["log", str(sweep), "--to=memory"]) == 0
    assert len(KEPT) == 6  # the files of the sweep may be new
    assert capsys.readouterr().out.startswith("sweep: already there: 4 runs\n")
    assert main(["log", str(sweep), "--to", "memory", "--project", "mine"]) == 0
    assert set(KEYS) == {"diamonds", "mine"} and len(KEYS["mine"]) == 4


def test_the_environment_names_the_project(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMORY_PROJECT", "of the team")
    assert main(["log", str(sweep), "--to", "memory"]) == 0
    assert list(KEYS) == ["of the team"]


def test_unfinished_and_failed_runs_are_left_out_and_sent_later(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = sorted(path for path in sweep.iterdir() if path.is_dir() and path.name[0] == "0")
    status(runs[0], "failed")
    status(runs[1], "interrupted")
    assert main(["log", str(sweep), "--to", "memory"]) == 0
    said = capsys.readouterr().out
    assert "sweep: sent 2 runs\n" in said
    assert "left out: 1 run failed (sweep/000_loss=sum,seed=0)\n" in said
    assert "left out: 1 run not finished (mtlrun resume " in said
    status(runs[1], "completed")
    assert main(["log", str(sweep), "--to", "memory"]) == 0
    assert "sweep: sent 1 run; already there: 2 runs\n" in capsys.readouterr().out


def test_a_run_of_a_sweep_goes_to_its_sweep(sweep: Path) -> None:
    run = next(sweep.glob("003_*"))
    assert main(["log", str(run), "--to", "memory"]) == 0
    assert [("sweep", None), (run.name, "sweep")] == KEPT


def test_wrong_words(sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for path in sweep.glob("0*"):
        status(path, "interrupted")
    for words, message in [
        ([], "log: found 0 words, expected 1 or more\nusage: mtlrun log DIR... --to mlflow|wandb"),
        ([str(sweep)], "log: --to is missing"),
        (["nowhere", "--to", "mlflow"], "log: there is no folder nowhere"),
        ([str(sweep), "--to", "mlflo"], "--to: found mlflo; did you mean mlflow?\nallowed: mlflow, wandb"),
        ([str(sweep), "--to", "memory"], "log: no run is completed (4 runs not finished (mtlrun resume"),
        ([str(tmp_path / "empty"), "--to", "memory"], f"{tmp_path / 'empty'} holds no runs"),
    ]:
        assert main(["log", *words]) == 2
        assert capsys.readouterr().err.startswith(f"mtlrun: {message}")
    assert not KEPT


@pytest.mark.parametrize("tool", ["mlflow", "wandb"])
def test_a_tool_that_is_not_installed(
    tool: str, sweep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(send.TOOLS, tool, ("mtlrun.trackers.no_such_module", "NoTracker", "NONE"))
    assert main(["log", str(sweep), "--to", tool]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f'pip install "mtlrun[{tool}]"' in said
