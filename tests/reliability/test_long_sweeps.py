"""Long sweeps with runs that fail in every way: all others complete, and what failed is counted by its cause."""

import csv
import json
import os
import re
import signal
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from children import Ended, started, wait

import mtlrun.engine.step
from mtlrun.storage.results_table import causes

SMALL = [
    "data=houses",
    "model.hidden=[4]",
    "model.head_hidden=[4]",
    "trainer.batch_size=16",
    "trainer.max_steps=14",
    "trainer.tensorboard=false",
]
WAYS = ("loss", "error", "memory", "crash", "folder")  # of failing
CAUSES = {
    "loss": r"diverged: the loss of price is nan in step 9",
    "error": r"RuntimeError: a package's mistake in run \d+",
    "memory": r"MemoryError",
    "crash": r"the process that trained it ended with signal 11",
    "folder": r"its files cannot be written: \S*metrics.csv \(No such file or directory\)",
}


def way(seed: int, often: int) -> str | None:
    """How the run of a seed fails: one of `often` does, in the five ways in turn."""
    return WAYS[seed // often % len(WAYS)] if seed % often == 3 else None


def break_some(often: int, ways: tuple[str, ...] = WAYS) -> None:
    """Have runs fail in their ninth step."""
    own = mtlrun.engine.step.Step.__call__

    def step(self: Any, batch: Any, number: int) -> Any:
        if number == 8:
            for r, seed in enumerate(self.seeds):
                active = self.guard.active is None or bool(self.guard.active[r])
                how = way(seed, often)
                if active and how in ways:
                    _break(how, batch, r, seed)
        return own(self, batch, number)

    mtlrun.engine.step.Step.__call__ = step  # type: ignore[method-assign]


def _break(how: str | None, batch: Any, r: int, seed: int) -> None:
    if how == "loss":
        batch.targets.labels[r, 0, 0] = torch.nan
    elif how == "error":
        raise RuntimeError(f"a package's mistake in run {seed}")
    elif how == "memory":
        raise MemoryError
    elif how == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    else:
        for folder in Path("s").glob(f"*seed={seed}"):
            (folder / "metrics.csv").unlink(missing_ok=True)


def resident(process: int) -> int:
    """The memory that a process holds, in KiB; 0 where it has ended."""
    try:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def sweep(words: list[str], often: int, ways: tuple[str, ...] = WAYS, limit: float = 600) -> tuple[Ended, list[int]]:
    """A sweep with runs that fail; how it ended, and the memory of its first process over time."""
    held = []
    with started(words, lambda: break_some(often, ways)) as child:
        began = time.monotonic()
        while not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            assert time.monotonic() - began < limit
            held.append(resident(child))
            time.sleep(0.1)
        return wait(child), [kib for kib in held if kib]


def require_the_others(runs: int, often: int, ended: Ended, ways: tuple[str, ...] = WAYS) -> None:
    """Asserts that just the runs that were made to fail have failed, each by its cause, and that all are counted."""
    with open("s/results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == runs
    counted: Counter[str] = Counter()
    for row in rows:
        how = way(int(row["seed"]), often)
        if how in ways:
            assert row["status"] == "failed", row
            assert re.fullmatch(CAUSES[str(how)], row["error"]), row["error"]
            counted[str(how)] += 1
        else:
            assert row["status"] == "completed" and float(row["test/price/rmse"]) > 0, row
            summary = json.loads(Path("s", row["run"], "summary.json").read_text())
            assert summary["figures"]["test/price/rmse"] == float(row["test/price/rmse"])
    assert ended.status == 1
    assert f"{sum(counted.values())} of {runs} runs failed" in ended.out
    said = re.findall(r"^  (\d+) × ", ended.out, re.M)
    assert sorted(map(int, said)) == sorted(counted.values())


def test_of_twenty_runs_those_that_are_made_to_fail_do_and_no_other(here: Path) -> None:
    ended, _ = sweep(["-m", *SMALL, "seed=range(20)", "hydra.sweep.dir=s", "hydra.launcher.processes=2"], 4)
    require_the_others(20, 4, ended)


@pytest.mark.slow
def test_five_hundred_runs_of_which_fifty_fail(here: Path) -> None:
    ended, held = sweep(["-m", *SMALL, "seed=range(500)", "hydra.sweep.dir=s"], 10)
    require_the_others(500, 10, ended)
    third = len(held) // 3
    assert statistics.median(held[-third:]) < 1.1 * statistics.median(held[third : 2 * third])


@pytest.mark.slow
def test_two_hundred_runs_one_after_the_other_in_one_process(here: Path) -> None:
    ways = ("loss", "error", "memory", "folder")
    words = ["-m", *SMALL, "seed=range(200)", "hydra.sweep.dir=s", "hydra/launcher=basic"]
    ended, held = sweep(words, 10, ways)
    require_the_others(200, 10, ended, ways)
    third = len(held) // 3
    assert statistics.median(held[-third:]) < 1.1 * statistics.median(held[third : 2 * third])


def test_errors_that_differ_in_numbers_and_names_alone_are_one_cause() -> None:
    rows = [
        {"run": "000_a", "status": "failed", "error": "diverged: the loss of a is nan in step 17"},
        {"run": "001_a", "status": "failed", "error": "no room for s/001_a/metrics.csv"},
        {"run": "002_a", "status": "completed", "error": ""},
        {"run": "003_a", "status": "failed", "error": "diverged: the loss of a is nan in step 3"},
        {"run": "004_a", "status": "failed", "error": "diverged: the loss of b is nan in step 3"},
    ]
    assert causes(rows) == [
        (2, "diverged: the loss of a is nan in step …", "000_a"),
        (1, "no room for s/001_a/metrics.csv", "001_a"),
        (1, "diverged: the loss of b is nan in step 3", "004_a"),
    ]
