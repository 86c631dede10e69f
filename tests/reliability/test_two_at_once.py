"""Several commands in the same moment: none shares a folder with another, and one alone goes on."""

import contextlib
import csv
import json
import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from children import Ended, command, often_saved, started, wait
from test_kills import RUN, STACK, require_same_run, require_same_sweep

import mtlrun.storage.files

NO_FOLDER = [word for word in RUN if not word.startswith("hydra.run.dir")]


def at_once(lines: Sequence[list[str]]) -> list[Ended]:
    """Commands that begin together, each in a working directory of its own for what it prints; how each ended."""
    ready = time.monotonic() + 0.3

    def begin() -> None:
        often_saved()
        mtlrun.storage.files.PATIENCE = 0.5
        time.sleep(max(0.0, ready - time.monotonic()))

    with contextlib.ExitStack() as stack:
        children = []
        for number, words in enumerate(lines):
            children.append(stack.enter_context(started(words, begin, f"{number}-")))
        return [wait(child, name=f"{number}-") for number, child in enumerate(children)]


def test_two_runs_without_a_folder_have_two(here: Path) -> None:
    ended = at_once([NO_FOLDER, NO_FOLDER])
    assert [one.status for one in ended] == [0, 0]
    runs = sorted(Path("outputs/runs").iterdir())
    assert len(runs) == 2
    require_same_run(*runs)


@pytest.mark.parametrize(("words", "folder"), [(RUN, "r"), (STACK, "s")], ids=["run", "sweep"])
def test_of_four_commands_with_one_folder_one_gets_it(here: Path, words: list[str], folder: str) -> None:
    assert command(words, often_saved).status == 0
    Path(folder).rename("whole")
    ended = at_once([words] * 4)
    assert sorted(one.status for one in ended) == [0, 2, 2, 2]
    for one in ended:
        if one.status == 2:
            assert f"{folder} holds a {'run' if folder == 'r' else 'sweep'} already" in one.err
    (require_same_run if folder == "r" else require_same_sweep)(Path("whole"), Path(folder))


def interrupted(words: list[str], file: Path) -> None:
    """A command that was ended after its first rows."""
    with started(words, often_saved) as child:
        while not file.exists() or file.read_text().count("\n") < 20:
            time.sleep(0.005)
        os.kill(child, signal.SIGTERM)
        assert wait(child).status == 143


def test_of_two_that_go_on_with_a_run_one_does(here: Path) -> None:
    words = [*RUN, "trainer.epochs=80"]
    interrupted(words, Path("r/metrics.csv"))
    before = json.loads(Path("r/summary.json").read_text())["steps"]
    ended = at_once([["resume", "r"]] * 3)
    assert sorted(one.status for one in ended) == [0, 2, 2]
    for one in ended:
        if one.status == 2:
            assert (
                one.err
                == "mtlrun: r: another command is at work in this folder\nwait until it has ended, or end it first\n"
            )
    summary = json.loads(Path("r/summary.json").read_text())
    assert summary["status"] == "completed" and summary["steps"] > before
    rows = [tuple(row[:5]) for row in csv.reader(Path("r/metrics.csv").open(newline=""))]  # noqa: SIM115
    assert len(rows) == len(set(rows)), "no row twice"


def test_of_two_that_go_on_with_a_sweep_one_does(here: Path) -> None:
    words = [*STACK, "trainer.epochs=60"]
    interrupted(words, Path("s/000_loss=uncertainty,seed=0/metrics.csv"))
    ended = at_once([["resume", "s"]] * 2)
    assert sorted(one.status for one in ended) == [0, 2]
    with Path("s/results.csv").open(newline="") as file:
        assert {row["status"] for row in csv.DictReader(file)} == {"completed"}


def test_none_goes_on_with_what_is_at_work(here: Path) -> None:
    with started([*RUN, "trainer.epochs=1000"], often_saved) as child:
        while not Path("r/metrics.csv").exists():
            time.sleep(0.005)
        (ended,) = at_once([["resume", "r"]])
        assert ended.status == 2 and "another command is at work" in ended.err
        os.kill(child, signal.SIGTERM)
        wait(child)
    assert json.loads(Path("r/summary.json").read_text())["status"] == "interrupted"
    shutil.rmtree("r")
