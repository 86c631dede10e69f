"""Exact resuming: whenever a command is killed, `mtlrun resume` ends with the files of one that was not."""

import csv
import json
import os
import random
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from children import KILLED, command, hurt_at, often_saved, started, wait

from mtlrun.engine import checkpoint
from mtlrun.storage.files import BESIDE

SMALL = [
    "data=houses",
    "model.hidden=[8]",
    "model.head_hidden=[4]",
    "model.dropout=0.2",
    "trainer.batch_size=16",
    "trainer.epochs=4",
    "trainer.patience=null",
    "loss=uncertainty",
]
RUN = [*SMALL, "trainer.evaluate_every=3", "hydra.run.dir=r"]
PRETRAIN = [*SMALL, "model.pretrain=[price]", "only=[sold,kind]", "trainer.epochs=2", "hydra.run.dir=r"]
STACK = [
    "-m",
    *SMALL[:-1],
    "loss=uncertainty,pcgrad",
    "seed=range(3)",
    "trainer.epochs=3",
    "hydra.sweep.dir=s",
    "hydra.launcher.processes=2",
]
BASIC = ["-m", *SMALL, "seed=0,1", "trainer.epochs=2", "hydra.sweep.dir=s", "hydra/launcher=basic"]
TIMES = re.compile(r'"(seconds|memory)": .*')


def same(one: Any, two: Any) -> bool:
    """Whether two trees of tensors and values hold the same, but for times and the sizes of files."""
    if isinstance(one, torch.Tensor):
        return isinstance(two, torch.Tensor) and torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[k], two[k]) for k in one if k != "seconds")
    if isinstance(one, list):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == two or (one != one and two != two))


def require_same_run(whole: Path, parts: Path) -> None:
    """Asserts that a run ended with the files of another."""
    assert (whole / "metrics.csv").read_bytes() == (parts / "metrics.csv").read_bytes()
    for name in ("best.pt", "last.pt"):
        one, two = (checkpoint.load(folder / "checkpoints" / name) for folder in (whole, parts))
        assert same(one, two), name
    one, two = (json.loads((folder / "summary.json").read_text()) for folder in (whole, parts))
    for key in ("status", "error", "figures", "best", "steps", "trivial", "config_hash", "data_hash", "stack"):
        assert one[key] == two[key], key
    assert two["status"] == "completed"
    assert yaml_of(whole) == yaml_of(parts)


def yaml_of(run: Path) -> list[str]:
    return [(run / ".hydra" / name).read_text() for name in ("config.yaml", "overrides.yaml")]


def require_same_sweep(whole: Path, parts: Path) -> None:
    """The same for every run of a sweep and its table."""
    tables = [list(csv.DictReader((folder / "results.csv").open(newline=""))) for folder in (whole, parts)]
    assert len(tables[0]) == len(tables[1])
    for one, two in zip(*tables, strict=True):
        assert {k: v for k, v in one.items() if k != "seconds"} == {k: v for k, v in two.items() if k != "seconds"}
        require_same_run(whole / one["run"], parts / two["run"])
    assert not list(parts.glob(".stacks/*.pt"))


def require_tidy(folder: Path) -> None:
    assert not [p for p in folder.rglob("*") if BESIDE.fullmatch(p.name)]


def go_on(words: list[str], folder: Path) -> None:
    """What a user does after a kill: resume, or begin anew where nothing is there to be resumed, which it says."""
    ended = command(["resume", folder.name], often_saved)
    if ended.status == 2:
        assert ended.err.splitlines()[0] == f"mtlrun: {folder.name}: there is no run in it"
        ended = command(words, often_saved)
    else:
        require_tidy(folder)
    assert ended.status == 0, (ended.out, ended.err)


def moments(words: list[str], folder: Path) -> int:
    """How many moments a whole command has; its folder is kept as `whole`."""
    ended, count = hurt_at(None, words, folder, often_saved)
    assert ended.status == 0, ended.err
    folder.rename("whole")
    return count


def kills(words: list[str], folder: Path, number: int, require: Any, again: bool = False) -> None:
    """Kill a command at so many of its moments, spread over all of them, and go on each time."""
    count = moments(words, folder)
    assert count > 20
    rng = random.Random(number)
    chosen = sorted(rng.sample(range(1, count + 1), min(number, count)))
    for moment in chosen:
        ended, _ = hurt_at(moment, words, folder, often_saved)
        assert ended.status in (KILLED, 0), (moment, ended)  # 0: two processes counted one moment
        if again and ended.status and folder.exists():  # and the one that goes on is killed too
            hurt_at(rng.randrange(1, 40), ["resume", folder.name], folder, often_saved)
        go_on(words, folder)
        require(Path("whole"), folder)
        shutil.rmtree(folder)


def test_a_run_that_is_hurt_at_some_moments_ends_as_if_it_had_not_been(here: Path) -> None:
    kills(RUN, here / "r", 4, require_same_run)


def test_a_stack_that_is_hurt_at_some_moments_ends_as_if_it_had_not_been(here: Path) -> None:
    kills(STACK, here / "s", 3, require_same_sweep)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "number", "again"),
    [(RUN, 50, False), (RUN, 50, True), (PRETRAIN, 50, False)],
    ids=["run", "run, twice", "pretrain"],
)
def test_a_run_hurt_at_fifty_moments(here: Path, words: list[str], number: int, again: bool) -> None:
    kills(words, here / "r", number, require_same_run, again)


@pytest.mark.slow
@pytest.mark.parametrize("words", [STACK, BASIC], ids=["stack", "basic"])
def test_a_sweep_hurt_at_twenty_moments(here: Path, words: list[str]) -> None:
    kills(words, here / "s", 20, require_same_sweep, again=True)


@pytest.mark.slow
def test_a_run_hurt_at_any_time(here: Path) -> None:
    """From outside, by the clock: also in the middle of a step, or of a checkpoint that is being written."""
    began = time.monotonic()
    assert command(RUN, often_saved).status == 0
    took = time.monotonic() - began
    Path("r").rename("whole")
    rng = random.Random(1)
    early = 0
    for _ in range(50):
        with started(RUN, often_saved) as child:
            time.sleep(rng.uniform(0, took))
            os.killpg(child, signal.SIGKILL)
            early += wait(child).status == KILLED
        if (
            not Path("r/summary.json").exists()
            or json.loads(Path("r/summary.json").read_text())["status"] != "completed"
        ):
            go_on(RUN, here / "r")
        require_same_run(Path("whole"), Path("r"))
        shutil.rmtree("r")
    assert early >= 25


@pytest.mark.slow
def test_a_sweep_whose_first_process_alone_is_killed(here: Path) -> None:
    """Its workers are told to end, and note where they are."""
    began = time.monotonic()
    assert command(STACK, often_saved).status == 0
    took = time.monotonic() - began
    Path("s").rename("whole")
    rng = random.Random(2)
    for _ in range(20):
        with started(STACK, often_saved) as child:
            time.sleep(rng.uniform(0, took))
            os.kill(child, signal.SIGKILL)
            wait(child)
            if Path("s/sweep.json").exists():
                go_on(STACK, here / "s")  # waits for workers that are still at work
            else:
                assert command(STACK, often_saved).status == 0
        require_same_sweep(Path("whole"), Path("s"))
        shutil.rmtree("s")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_within_a_step_with_a_checkpoint(here: Path, signum: int) -> None:
    words = [*RUN, "trainer.epochs=2000"]
    with started(words) as child:
        while not Path("r/metrics.csv").exists():
            time.sleep(0.01)
        time.sleep(0.2)
        os.kill(child, signum)
        sent = time.monotonic()
        ended = wait(child)
    assert time.monotonic() - sent < 5
    assert ended.status == 128 + signum
    assert ended.err.splitlines() == ["mtlrun: go on with: mtlrun resume r", "mtlrun: interrupted"]
    assert json.loads(Path("r/summary.json").read_text())["status"] == "interrupted"
    assert checkpoint.load(Path("r/checkpoints/last.pt"))["step"] > 0


def test_a_terminal_that_is_closed_leaves_a_run_and_a_sweep_to_be_gone_on_with(here: Path) -> None:
    for words, folder, first in ((RUN, "r", "r"), (STACK, "s", "s/000_loss=uncertainty,seed=0")):
        with started([*words, "trainer.epochs=2000"]) as child:
            while not Path(first, "metrics.csv").exists():
                time.sleep(0.01)
            time.sleep(0.2)
            os.killpg(child, signal.SIGHUP)
            assert wait(child).status == 129
        assert json.loads(Path(first, "summary.json").read_text())["status"] == "interrupted"
        assert Path(folder).exists()
