"""Stacks at work: what counts as too little memory, and what the end of a process means."""

import multiprocessing
import os
import signal
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from support import make_config

from mtlrun.engine.checkpoint import is_out_of_memory
from mtlrun.storage.progress import SweepProgress
from mtlrun.storage.summary import read, record_end
from mtlrun.storage.sweep_folder import read_plan, restacked, write_plan
from mtlrun.sweeps.pool import Pool, train_all
from mtlrun.sweeps.work import Broken, Ended, Job, Work, stack_checkpoint
from mtlrun.util.errors import RequestError


class Display:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def ended(self, numbers: list[int]) -> None:
        self.numbers += numbers

    def note(self, line: str) -> None:
        assert "signal" in line


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_too_little_memory(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def work(folder: Path, runs: int) -> Work:
    config = make_config()
    return Work(0, folder, [Job(n, folder / f"{n:03d}", [], config) for n in range(runs)])


@pytest.mark.parametrize(
    ("status", "runs", "halved", "failed"),
    [
        (0, 2, False, []),
        (128 + signal.SIGTERM, 2, False, []),
        (128 + signal.SIGINT, 2, False, []),
        (-signal.SIGKILL, 2, True, []),
        (-signal.SIGKILL, 1, False, []),
        (-signal.SIGSEGV, 2, True, []),
        (-signal.SIGSEGV, 1, False, [0]),
        (1, 2, True, []),
        (1, 1, False, [0]),
    ],
)
def test_what_the_end_of_a_process_means(
    status: int, runs: int, halved: bool, failed: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halvings: list[Work] = []
    display = Display()
    stack = work(tmp_path, runs)
    pool = Pool([], 2, display)  # type: ignore[arg-type]
    monkeypatch.setattr(pool, "halve", lambda whole, why, broken=False: halvings.append(whole))
    pool.process_ended(status, stack)
    assert bool(halvings) is halved and display.numbers == failed
    for n in failed:
        summary = read(tmp_path / f"{n:03d}")
        assert summary is not None and summary["status"] == "failed"
        assert summary["error"].startswith("the process that trained it ended with")


def test_a_stack_that_others_have_taken_the_place_of_is_not_halved_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process may still die badly after it has said that it broke."""

    def child(own: Work, connection: Any, processes: int) -> None:
        if own.number == 0:
            connection.send(Broken("a mistake"))
            os._exit(9)
        for job in own.jobs:
            record_end(job.folder, "completed")
        connection.send(Ended([job.number for job in own.jobs]))
        os._exit(0)

    monkeypatch.setattr("mtlrun.sweeps.pool._child", child)
    write_plan(tmp_path, [{"run": f"{n:03d}", "stack": 0} for n in range(4)])
    lines: list[str] = []
    with SweepProgress(4, 0, {0: 4}, lambda numbers: [str(n) for n in numbers]) as display:
        monkeypatch.setattr(display, "note", lines.append)
        train_all([work(tmp_path, 4)], 2, display)
    assert [line for line in lines if "broke" in line] == [
        "stack 0 broke (a mistake): it goes on in parts, so that a run at fault fails alone"
    ]
    assert sorted(line for line in lines if line.isdigit()) == ["0", "1", "2", "3"] and display.done == 4
    assert sorted(job["stack"] for job in read_plan(tmp_path)) == [1, 1, 2, 2]


def test_the_end_of_a_process_whose_stack_was_halved_halves_nothing(tmp_path: Path) -> None:
    write_plan(tmp_path, [{"run": f"{n:03d}", "stack": 0} for n in range(4)])
    stack, (receiving, sending) = work(tmp_path, 4), multiprocessing.Pipe(duplex=False)
    with SweepProgress(4, 0, {0: 4}, lambda numbers: [str(n) for n in numbers]) as display:
        pool = Pool([], 2, display)
        pool.running[receiving] = (stack, types.SimpleNamespace(join=lambda: None, exitcode=9))
        pool.receive(Broken("a mistake"), stack)
        sending.close()
        pool._read(receiving)
    assert [part.number for part in pool.waiting] == [1, 2] and not pool.running
    assert [job["stack"] for job in read_plan(tmp_path)] == [1, 1, 2, 2]


def test_a_process_that_dies_after_its_runs_have_ended_is_no_matter(tmp_path: Path) -> None:
    stack = work(tmp_path, 2)
    write_plan(tmp_path, [{"run": f"{n:03d}", "stack": 0} for n in range(2)])
    for job in stack.jobs:
        record_end(job.folder, "completed")
    stack.checkpoint.parent.mkdir()
    stack.checkpoint.touch()
    Pool([], 2, Display()).process_ended(-signal.SIGKILL, stack)  # type: ignore[arg-type]
    assert not stack.checkpoint.exists() and read_plan(tmp_path)[0]["stack"] == 0  # not halved


def test_an_interrupted_run_can_still_fail(tmp_path: Path) -> None:
    record_end(tmp_path, "interrupted")
    record_end(tmp_path, "failed", "boom")
    assert read(tmp_path)["status"] == "failed"  # type: ignore[index]


def test_a_stack_of_one_is_saved_where_its_run_is(tmp_path: Path) -> None:
    assert stack_checkpoint(tmp_path, 3, [tmp_path / "a"]) == tmp_path / "a/checkpoints/last.pt"
    assert stack_checkpoint(tmp_path, 3, [tmp_path / "a", tmp_path / "b"]) == tmp_path / ".stacks/003.pt"


def test_new_stacks_get_numbers_that_no_other_has(tmp_path: Path) -> None:
    write_plan(tmp_path, [{"run": f"{n}", "overrides": {}, "stack": n // 2} for n in range(6)])
    with restacked(tmp_path, [[0], [1]]) as numbers:
        assert numbers == [3, 4]
    with restacked(tmp_path, [[2], [3]]) as numbers:
        assert numbers == [5, 6]
    assert [job["stack"] for job in read_plan(tmp_path)] == [3, 4, 5, 6, 2, 2]


def test_an_empty_plan_is_a_wrong_request(tmp_path: Path) -> None:
    (tmp_path / "sweep.json").touch()
    with pytest.raises(RequestError, match="empty, this sweep was stopped before its first run"):
        read_plan(tmp_path)
