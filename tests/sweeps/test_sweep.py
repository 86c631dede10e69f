"""Sweeps as a user meets them: whole commands on a small table, their files, their words, and how they end badly."""

import csv
import json
import multiprocessing
import os
import re
import runpy
import shlex
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from commands import main
from fake_launcher import fake_launcher
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import mtlrun.engine.loop
import mtlrun.engine.saving
import mtlrun.sweeps.local_stacks
import mtlrun.sweeps.pool
import mtlrun.sweeps.stack_process

TABLE = """\
# @package _global_
data: {path: houses.csv}
tasks:
  price: {type: regression}
  sold: {type: binary}
"""
SMALL = ["data=houses", "model.hidden=[8]", "model.head_hidden=[4]", "trainer.batch_size=32", "trainer.patience=null"]
SWEEP = [
    "-m",
    *SMALL,
    "loss=sum,uncertainty",
    "seed=range(4)",
    "trainer.epochs=4",
    "hydra.launcher.processes=2",
    "hydra.launcher.max_runs=4",
    "hydra.sweep.dir=s",
]
STEPS = 4 * (140 // 32)

Step = Callable[[Any, int, Any], None]


def furnish(folder: Path) -> Path:
    """Writes a data option and its table into a working directory."""
    (folder / "conf/data").mkdir(parents=True)
    (folder / "conf/data/houses.yaml").write_text(TABLE)
    lines = [
        f"{i * 37 % 101 / 10},{i * 53 % 97},{(i * 37 % 101) * 3 + i % 7},{int(i * 53 % 97 > 40)}\n" for i in range(200)
    ]
    (folder / "houses.csv").write_text("area,age,price,sold\n" + "".join(lines))
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a data option."""
    monkeypatch.chdir(furnish(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sweep that nothing disturbs, trained once, in `s`; in `twos` with two runs in a stack."""
    folder = furnish(tmp_path_factory.mktemp("trained"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(SWEEP) == 0
        assert main([*SWEEP, "hydra.launcher.max_runs=2", "hydra.sweep.dir=twos"]) == 0
    return folder


@pytest.fixture
def whole(trained: Path, here: Path) -> Path:
    """The same in `whole`."""
    return shutil.copytree(trained / "s", here / "whole")


def rows(folder: str = "s") -> list[dict[str, str]]:
    with open(Path(folder) / "results.csv", newline="") as file:
        return list(csv.DictReader(file))


def statuses(folder: str = "s") -> list[str]:
    return [row["status"] for row in rows(folder)]


def summaries(folder: str = "s") -> list[dict[str, Any]]:
    return [json.loads((Path(folder) / row["run"] / "summary.json").read_text()) for row in rows(folder)]


def files(name: str, folder: str = "s") -> dict[str, bytes]:
    """The bytes of a file of every run."""
    return {path.parent.name: path.read_bytes() for path in Path(folder).glob(f"0*/{name}")}


def stacks(folder: str = "s") -> list[int]:
    return [job["stack"] for job in json.loads((Path(folder) / "sweep.json").read_text())]


def at_step(monkeypatch: pytest.MonkeyPatch, act: Step) -> None:
    """Has `act(stack's work, step, losses)` happen after every step, in whatever process takes it."""
    before = mtlrun.sweeps.stack_process.SentProgress.step

    def step(self: Any, number: int, losses: Any) -> None:
        before(self, number, losses)
        act(self.work, number, losses)

    monkeypatch.setattr(mtlrun.sweeps.stack_process.SentProgress, "step", step)
    monkeypatch.setattr(mtlrun.engine.saving, "CHECKPOINT_SECONDS", -1.0)  # one after every epoch
    monkeypatch.setattr(mtlrun.engine.saving, "CHECKPOINT_SHARE", 0)


# ---------------------------------------------------------------- what a sweep leaves and says


@pytest.mark.forecast
def test_a_sweep_leaves_every_file_of_each_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SWEEP) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "8 runs in 2 stacks, 2 at a time, in s"
    assert lines[1] == (
        "1 setting against a reference needs 6 seeds or more for a paired test to reach p < .05; this sweep has 4"
    )
    assert re.match(r"about \d+ s on 2 processes$", lines.pop(2))
    assert lines.pop(2) == "trains 16 steps of 32 rows, about 4 epochs; evaluates every 4 steps; does not stop early"
    assert lines.pop(2) == "8 of 8 nets take fewer than 500 steps: trainer.epochs"
    assert (Path("s") / "command.txt").read_text() == f"mtlrun {shlex.join(SWEEP)}\n"
    del lines[1]
    told = [
        re.match(r"run (\d) of 8: (\S+)  price rmse [\d.]+  sold auroc [\d.]+  \(\d\.\d s\)$", x) for x in lines[1:9]
    ]
    assert sorted(int(x[1]) for x in told if x) == list(range(1, 9))
    assert lines[9].startswith("best for price: ") and "results: s/results.csv" in lines
    assert statuses() == ["completed"] * 8 and stacks() == [0] * 4 + [1] * 4
    for row, summary in zip(rows(), summaries(), strict=True):
        folder = Path("s") / row["run"]
        for name in (".hydra/config.yaml", "checkpoints/last.pt", "checkpoints/best.pt"):
            assert (folder / name).stat().st_size > 0
        assert yaml.safe_load((folder / ".hydra/overrides.yaml").read_text())[-1] == "trainer.epochs=4"
        assert yaml.safe_load((folder / ".hydra/config.yaml").read_text())["seed"] == int(row["seed"])
        assert summary["stack"] == {"id": 0 if row["loss"] == "sum" else 1, "size": 4}
        assert summary["steps"] == STEPS and summary["hardware"]["threads"] == 1
        assert float(row["test/price/rmse"]) == summary["figures"]["test/price/rmse"]
        assert row["seconds"] == str(summary["seconds"])
        log = (folder / "run.log").read_text()
        stack = summary["stack"]["id"]
        assert f"one of 4 runs of stack {stack}" in log and "epoch 4/4" in log and "Traceback" not in log
        (events,) = folder.glob("events.out.tfevents*")
        reader = EventAccumulator(str(events))
        reader.Reload()
        (test,) = reader.Scalars("test/price/rmse")
        assert test.value == pytest.approx(summary["figures"]["test/price/rmse"], rel=1e-6)
    assert not list(Path("s").glob(".stacks/*"))  # what the stacks would have gone on from


def test_a_member_that_diverges_leaves_the_others_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-m", *SMALL, "optimizer=sgd", "seed=0", "trainer.epochs=4"]
    assert main([*words, "lr.base=0.01,1e30,0.02", "hydra.sweep.dir=s", "hydra.launcher.processes=1"]) == 1
    out = capsys.readouterr().out
    assert statuses() == ["completed", "failed", "completed"] and stacks() == [0, 0, 0]
    error = rows()[1]["error"]
    assert re.match(r"diverged: the loss of (price|sold) is (nan|inf) in step \d+", error)
    assert f"run 2 of 3: 001_lr.base=1e+30  failed: {error}" in out and "1 of 3 runs failed" in out
    assert f"failed: {error}" in (Path("s") / rows()[1]["run"] / "run.log").read_text()
    before = files("summary.json")
    assert main(["resume", "s"]) == 0  # failed runs stay failed
    assert files("summary.json") == before


@pytest.mark.forecast
def test_check_says_how_a_sweep_divides_and_why(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *SWEEP, "model.hidden=[8],[6,6]"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "16 runs in 4 stacks, 2 at a time"
    assert lines[1].startswith("2 main effects need 7 seeds or more") and lines[2].startswith("about ")
    assert lines[3].startswith("trains 16 steps of 32 rows") and lines[4].startswith("16 of 16 nets take fewer ")
    assert lines[5] == "stack 0: 4 runs  model.hidden: [8]"
    assert "apart, as the runs of a stack have the same: model.hidden" in lines
    assert sum("seed=" in line for line in lines) == 16
    assert not Path("s").exists()
    assert main(["check", *SMALL, "-m", "seed=1,2", "hydra/launcher=basic"]) == 0
    assert capsys.readouterr().out.startswith("2 runs, one per job:\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["hydra.launcher.processes=0"], "hydra.launcher.processes: found 0\nallowed: a whole number from 1"),
        (
            ["hydra.launcher.proceses=2"],
            "hydra.launcher.proceses: hydra/launcher=stack has no such key; did you mean processes?\nallowed: ",
        ),
        (["hydra.launcher.max_runs=-1"], "hydra.launcher.max_runs: found -1\nallowed: a whole number from 1"),
        (["hydra.launcher.over=joblb"], "hydra.launcher.over: found joblb; did you mean joblib?\nallowed: joblib, "),
        (["hydra.launcher.over=ray"], "hydra.launcher.over: ray is not installed\ninstall it: pip install"),
        (["+hydra.launcher.options={n_jobs: 2}"], "hydra.launcher.options: they belong to the launcher"),
    ],
)
def test_a_wrong_launcher_is_answered_before_anything_is_written(
    words: list[str], expected: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-m", *SMALL, "seed=1,2", "hydra.sweep.dir=s", *words]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"mtlrun: {expected}") and len(err.splitlines()) == 2
    assert not Path("s").exists()


@pytest.mark.parametrize(
    ("words", "count", "threads"),
    [
        (["hydra.launcher.processes=1"], 1, 1),
        (["hydra.launcher.processes=4"], 4, 1),
        (["hydra.launcher.processes=1", "hydra.launcher.max_runs=3"], 2, 1),
        (["hydra.launcher.processes=1", "trainer.threads=2"], 1, 2),
    ],
)
def test_stacks_follow_the_rule_and_threads_the_setting(words: list[str], count: int, threads: int, here: Path) -> None:
    assert main(["-m", *SMALL, "seed=range(4)", "trainer.epochs=1", "hydra.sweep.dir=s", *words]) == 0
    assert len(set(stacks())) == count and statuses() == ["completed"] * 4
    assert {summary["hardware"]["threads"] for summary in summaries()} == {threads}


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_sweep_on_an_absent_device_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", *SMALL, "seed=1,2", "trainer.device=cuda", "hydra.sweep.dir=s"]) == 2
    assert capsys.readouterr().err.startswith("mtlrun: trainer.device: cuda asked for, and no CUDA device is here")
    assert not Path("s").exists()


def test_one_run_per_job(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-m", *SMALL, "seed=range(3)", "trainer.epochs=2", "hydra/launcher=basic"]
    assert main([*words, "hydra.sweep.dir=whole"]) == 0
    assert statuses("whole") == ["completed"] * 3 and {s["stack"]["size"] for s in summaries("whole")} == {1}

    from mtlrun.storage.progress import Progress

    before = Progress.step

    def step(self: Any, number: int, losses: Any) -> None:
        before(self, number, losses)
        if number == 3 and len(list(Path("s").glob("0*"))) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Progress, "step", step)
    assert main([*words, "hydra.sweep.dir=s"]) == 143
    assert statuses() == ["completed", "interrupted", "pending"]
    monkeypatch.setattr(Progress, "step", before)
    assert main(["resume", "s"]) == 0
    assert statuses() == ["completed"] * 3 and files("metrics.csv") == files("metrics.csv", "whole")


# ---------------------------------------------------------------- interrupted


@pytest.mark.parametrize("signum", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupted_sweep_goes_on_to_the_same_bytes(
    signum: int, whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(mtlrun.sweeps.pool, "_interrupt", _patient(mtlrun.sweeps.pool._interrupt))
        at_step(patch, lambda work, step, losses: _send(work, step, os.getppid(), signum))
        assert main(SWEEP) == 128 + signum
    err = capsys.readouterr().err
    assert "go on with: mtlrun resume s" in err and "Traceback" not in err
    assert set(statuses()) == {"interrupted"}
    assert {summary["status"] for summary in summaries()} == {"interrupted"}
    assert len(list(Path("s/.stacks").glob("*.pt"))) == 2

    member = f"s/{rows()[0]['run']}"
    assert main(["resume", member]) == 2
    assert capsys.readouterr().err == (
        f"mtlrun: {member}: trains in a stack of 4 runs\ngo on with all of them: mtlrun resume s\n"
    )
    assert main(["resume", "s"]) == 0
    assert statuses() == ["completed"] * 8
    assert files("metrics.csv") == files("metrics.csv", "whole")
    assert not list(Path("s").glob(".stacks/*"))
    before = files("summary.json")
    assert main(["resume", "s"]) == 0 and files("summary.json") == before
    assert capsys.readouterr().out.endswith("s: finished already\n")


def _send(work: Any, step: int, pid: int, signum: int) -> None:
    """Once, when both stacks are in their second epoch; they wait for what comes of it."""
    if step == 6:
        Path(f"at {work.number}").touch()
        _wait_for(Path("at 0"), Path("at 1"))
        if work.number == 0:
            os.kill(pid, signum)
        _wait_for(Path("passed on"))


def _patient(interrupt: Callable[[Any], None]) -> Callable[[Any], None]:
    def act(running: Any) -> None:
        for _, process in running.values():
            process.terminate()
        time.sleep(0.05)
        Path("passed on").touch()
        interrupt(running)

    return act


def test_processes_end_with_a_killed_sweep_and_their_checkpoints_serve(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def act(work: Any, step: int, losses: Any) -> None:
            Path(f"pid{work.number}").write_text(str(os.getpid()))
            _wait_for(Path("pid0"), Path("pid1"))
            if step == 6 and work.number == 0:
                os.kill(os.getppid(), signal.SIGKILL)
            if step == 6:
                time.sleep(0.2)

        at_step(patch, act)
        process = multiprocessing.get_context("fork").Process(target=main, args=(SWEEP,))
        process.start()
        process.join(30)
        assert process.exitcode == -signal.SIGKILL
    deadline = time.monotonic() + 10
    pids = [int(Path(name).read_text()) for name in ("pid0", "pid1")]
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert {summary["status"] for summary in summaries()} == {"interrupted"}  # not failed for want of a listener
    assert main(["resume", "s"]) == 0
    assert files("metrics.csv") == files("metrics.csv", "whole")


def _wait_for(*paths: Path) -> None:
    deadline = time.monotonic() + 10
    while not all(path.exists() for path in paths) and time.monotonic() < deadline:
        time.sleep(0.005)


def test_a_process_that_is_told_to_end_leaves_its_runs_to_resume(
    whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        at_step(patch, lambda work, step, losses: _end_itself(work, step, signal.SIGTERM))
        assert main(SWEEP) == 1
    out, err = capsys.readouterr()
    assert statuses() == ["interrupted"] * 4 + ["completed"] * 4
    assert "4 of 8 runs are left" in out and "go on with: mtlrun resume s" in err
    done = {run: content for run, content in files("summary.json").items() if "uncertainty" in run}
    assert main(["resume", "s"]) == 0
    assert files("metrics.csv") == files("metrics.csv", "whole")
    assert {run: files("summary.json")[run] for run in done} == done


def _end_itself(work: Any, step: int, signum: int) -> None:
    if work.number == 0 and step == 6:
        os.kill(os.getpid(), signum)


def test_a_sweep_stopped_before_its_plan_says_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("s").mkdir()
    Path("s/sweep.json").touch()
    assert main(["resume", "s"]) == 2
    assert capsys.readouterr().err == (
        "mtlrun: s/sweep.json: empty, this sweep was stopped before its first run\nremove the folder, and sweep anew\n"
    )


# ---------------------------------------------------------------- memory, and bugs


def out_of_memory(work: Any, step: int, kind: str) -> None:
    """What happens in the second epoch of a stack of more than two runs, on a machine that is too small."""
    if len(work.jobs) > 2 and step == 6:
        if kind == "torch":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        if kind == "allocator":
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("kind", ["torch", "allocator", "killed"])
def test_a_stack_that_is_too_large_is_halved(
    kind: str, here: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_step(monkeypatch, lambda work, step, losses: out_of_memory(work, step, kind))
    assert main([*SWEEP, "hydra.launcher.processes=1"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and statuses() == ["completed"] * 8
    assert re.findall(r"stack (\d) may be too large for the memory \(.+\): it goes on as two, 2 runs and 2", out) == [
        "0",
        "1",
    ]
    assert stacks() == [2, 2, 3, 3, 4, 4, 5, 5]
    assert {(summary["stack"]["id"], summary["stack"]["size"]) for summary in summaries()} == {
        (n, 2) for n in range(2, 6)
    }
    log = (Path("s") / rows()[0]["run"] / "run.log").read_text()
    assert "one of 4 runs of stack 0" in log and "resumed at step 4" in log
    assert not list(Path("s").glob(".stacks/*"))
    for half, two in zip(rows(), rows(str(trained / "twos")), strict=True):
        assert float(half["test/price/rmse"]) == pytest.approx(float(two["test/price/rmse"]), rel=1e-4)


def test_halves_with_fewer_strategies_begin_anew(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "-m",
        *SMALL,
        "loss=fixed,sum,uncertainty",
        "seed=range(2)",
        "trainer.epochs=3",
        "hydra.launcher.processes=1",
    ]
    assert main([*words, "hydra.sweep.dir=whole"]) == 0

    def act(work: Any, step: int, losses: Any) -> None:
        if len(work.jobs) == 6 and step == 10:
            raise torch.OutOfMemoryError("no room")

    at_step(monkeypatch, act)
    assert main([*words, "hydra.sweep.dir=s"]) == 0
    assert stacks() == [1, 1, 1, 2, 2, 2]  # fixed, fixed, sum; sum, uncertainty, uncertainty
    for half, whole in zip(rows(), rows("whole"), strict=True):
        assert float(half["test/price/rmse"]) == pytest.approx(float(whole["test/price/rmse"]), rel=1e-4)
    assert "it goes on as two, 3 runs from the beginning and 3 runs from the beginning" in capsys.readouterr().out


def test_halves_of_a_resumed_stack_get_numbers_of_their_own(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        at_step(patch, lambda work, step, losses: _end_itself(work, step, signal.SIGTERM))
        assert main(SWEEP) == 1
    with monkeypatch.context() as patch:  # halved, and one of the halves interrupted
        at_step(patch, lambda work, step, losses: _halve_then_end(work, step))
        assert main(["resume", "s"]) == 1
    assert stacks() == [2, 2, 3, 3, 1, 1, 1, 1]
    assert statuses() == ["interrupted"] * 2 + ["completed"] * 6
    seen: list[int] = []
    with monkeypatch.context() as patch:
        train = mtlrun.sweeps.pool.train_all
        patch.setattr(
            mtlrun.sweeps.local_stacks,
            "train_all",
            lambda works, *rest: seen.extend(w.number for w in works) or train(works, *rest),
        )
        assert main(["resume", "s"]) == 0
    assert seen == [2] and statuses() == ["completed"] * 8


def _halve_then_end(work: Any, step: int) -> None:
    if len(work.jobs) == 4:
        raise torch.OutOfMemoryError("no room")
    if work.number == 2 and step == 10:
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_single_run_that_is_too_large_has_failed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(work: Any, step: int, losses: Any) -> None:
        if work.jobs[0].config.seed == 1:
            raise torch.OutOfMemoryError("no room at all")

    at_step(monkeypatch, act)
    assert main(["-m", *SMALL, "seed=0,1", "trainer.epochs=2", "hydra.launcher.max_runs=1", "hydra.sweep.dir=s"]) == 1
    assert statuses() == ["completed", "failed"]
    assert rows()[1]["error"] == "OutOfMemoryError: no room at all"


def test_a_bug_fails_the_runs_that_have_it_alone(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(work: Any, step: int, losses: Any) -> None:
        if step == 6 and any(job.number in (4, 6) for job in work.jobs):
            raise ZeroDivisionError("a bug of ours")

    at_step(monkeypatch, act)
    assert main(SWEEP) == 1
    assert statuses() == ["completed"] * 4 + ["failed", "completed"] * 2
    for row in rows()[4::2]:
        assert row["error"] == "ZeroDivisionError: a bug of ours"
        log = (Path("s") / row["run"] / "run.log").read_text()
        assert "the run failed\nTraceback" in log and log.rstrip().endswith("ZeroDivisionError: a bug of ours")
    assert not list(Path("s").glob(".stacks/*"))


# ---------------------------------------------------------------- through other launchers


@pytest.fixture
def fake(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    with fake_launcher(monkeypatch) as launcher:
        yield launcher


def test_another_launcher_s_workers_train_stacks(fake: Any, whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main([*SWEEP, "hydra.launcher.over=ray", "+hydra.launcher.options={workers: 3}"]) == 0
    assert capsys.readouterr().out.startswith("8 runs in 2 stacks for the workers of ray, in s\n")
    assert fake.workers == 3
    assert statuses() == ["completed"] * 8 and files("metrics.csv") == files("metrics.csv", "whole")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("{wokers: 3}", "hydra.launcher.options.wokers: ray has no such key; did you mean workers?\nallowed: workers"),
    ],
)
def test_wrong_options_are_answered_before_anything_is_written(
    options: str, expected: str, fake: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SWEEP, "hydra.launcher.over=ray", f"+hydra.launcher.options={options}"]) == 2
    assert capsys.readouterr().err.startswith(f"mtlrun: {expected}")
    assert not Path("s").exists()


def test_a_worker_that_is_lost_leaves_its_runs_to_resume(
    fake: Any, whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    launch = fake.launch

    def lose(self: Any, jobs: Any, initial_job_idx: int) -> Any:
        done = launch(self, jobs[:1], initial_job_idx)
        lost = JobReturn()
        lost.status, lost.return_value = JobStatus.FAILED, ConnectionError("the node\nis gone")
        return [*done, lost]

    monkeypatch.setattr(fake, "launch", lose)
    assert main([*SWEEP, "hydra.launcher.over=ray"]) == 1
    out, err = capsys.readouterr()
    assert "mtlrun: ray: ConnectionError: the node is gone\n" in err and "go on with: mtlrun resume s" in err
    assert statuses() == ["completed"] * 4 + ["pending"] * 4 and "4 of 8 runs are left" in out

    def crash(self: Any, jobs: Any, initial_job_idx: int) -> Any:
        raise RuntimeError("no cluster")

    monkeypatch.setattr(fake, "launch", crash)
    assert main([*SWEEP, "hydra.launcher.over=ray", "hydra.sweep.dir=none"]) == 1
    assert "mtlrun: ray: RuntimeError: no cluster\n" in capsys.readouterr().err and set(statuses("none")) == {"pending"}
    assert main(["resume", "s"]) == 0
    assert files("metrics.csv") == files("metrics.csv", "whole")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_installed_launchers_give_the_bytes_of_this_machine_s_processes(launcher: str, whole: Path) -> None:
    pytest.importorskip(
        {"joblib": "hydra_plugins.hydra_joblib_launcher"}.get(launcher, "hydra_plugins.hydra_submitit_launcher")
    )
    assert main([*SWEEP, f"hydra.launcher.over={launcher}"]) == 0
    assert statuses() == ["completed"] * 8 and stacks() == stacks("whole")
    assert files("metrics.csv") == files("metrics.csv", "whole")


# ---------------------------------------------------------------- processes


def test_nothing_else_runs_in_a_process_that_is_forked(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    wait = mtlrun.sweeps.pool._signals_wait

    def look() -> Any:
        seen.append((threading.active_count(), torch.get_num_threads()))
        return wait()

    monkeypatch.setattr(mtlrun.sweeps.pool, "_signals_wait", look)
    before = threading.active_count()
    assert (
        main(
            [
                "-m",
                *SMALL,
                "seed=range(4)",
                "trainer.epochs=1",
                "trainer.threads=2",
                "hydra.launcher.processes=2",
                "hydra.sweep.dir=s",
            ]
        )
        == 0
    )
    assert seen == [(before, 1)] * 2


def test_options_need_no_plus_sign() -> None:
    from mtlrun.hydra_plugin.launcher import StackLauncherConf

    node = OmegaConf.structured(StackLauncherConf)
    OmegaConf.set_struct(node, True)  # as Hydra does before it applies overrides
    OmegaConf.update(node, "options", {"n_jobs": 2}, merge=True)
    assert node.options == {"n_jobs": 2}


def test_another_application_is_told_that_stacks_are_not_for_it() -> None:
    from mtlrun.hydra_plugin.launcher import StackLauncher

    with pytest.raises(HydraException, match="trains sweeps of mtlrun"):
        StackLauncher().setup(hydra_context=None, task_function=print, config=OmegaConf.create())  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_memory_of_a_long_sweep_stays(tmp_path: Path) -> None:
    module = Path(__file__).parents[2] / "benchmarks" / "memory.py"
    memory = runpy.run_path(str(module))
    _, seen = memory["sweep"](tmp_path / "s", 60, ["hydra.launcher.max_runs=4", "hydra.launcher.processes=1"])
    assert memory["growth"](seen, 60) < 0.05


def test_two_commands_do_not_train_the_same_runs(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtlrun.storage import files

    monkeypatch.setattr(files, "PATIENCE", 0.3)
    assert main(["-m", *SMALL, "seed=1,2", "hydra.sweep.dir=s"]) == 0
    assert main([*SMALL, "hydra.run.dir=r"]) == 0
    for path in ("s/000_seed=1/summary.json", "r/summary.json"):
        summary = json.loads(Path(path).read_text()) | {"status": "interrupted"}
        Path(path).write_text(json.dumps(summary))
    for folder in ("s", "r"):
        with files.at_work(Path(folder)):  # as a command that trains there
            assert main(["resume", folder]) == 2
        assert "another command is at work in this folder" in capsys.readouterr().err
        assert main(["resume", folder]) == 0


def test_a_run_without_a_selection_is_answered_before_any_trains(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{i % 7},{int(i in (3, 20, 41))},{i}" for i in range(60)]
    Path("rare.csv").write_text("x,rare,y\n" + "\n".join(lines) + "\n")
    words = [
        "-m",
        "data=table",
        "data.path=rare.csv",
        "tasks={rare: {type: binary}, y: {type: regression}}",
        "trainer.select=rare",
        "seed=range(12)",
        "hydra.sweep.dir=s",
    ]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "trainer.select=rare: undefined" in error
    assert "(in 0" in error and not Path("s").exists()


def test_a_stack_that_cannot_go_on_can_be_mended(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", *SMALL, "seed=0,1,2,3", "hydra.launcher.processes=1", "hydra.sweep.dir=s"]) == 0
    work = Path("s/.stacks/000.pt")
    work.parent.mkdir(exist_ok=True)
    work.write_bytes(b"damaged")
    for path in sorted(Path("s").glob("0*/summary.json")):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "interrupted"}))
    assert main(["resume", "s"]) == 1
    said = capsys.readouterr()
    assert "stack 0 cannot go on: s/.stacks/000.pt: not a readable checkpoint" in said.out.replace(str(here) + "/", "")
    assert {row["status"] for row in rows("s")} == {"interrupted"}
    work.unlink()
    assert main(["resume", "s"]) == 0
    assert {row["status"] for row in rows("s")} == {"completed"}


@pytest.mark.parametrize(("words", "said"), [([], True), (["data.split.column=part"], False)])
def test_a_sweep_says_that_splits_differ_only_where_seeds_draw_them(
    here: Path, words: list[str], said: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = Path("houses.csv").read_text().splitlines()
    parts = ["part", *(("train", "train", "train", "val", "test")[i % 5] for i in range(len(lines) - 1))]
    Path("houses.csv").write_text("".join(f"{line},{part}\n" for line, part in zip(lines, parts, strict=True)))
    assert main(["-m", *SMALL, *words, "seed=0,1", "trainer.max_steps=2", "hydra.sweep.dir=s"]) == 0
    assert ("seeds have different splits" in capfd.readouterr().out) is said


@pytest.mark.parametrize(
    ("words", "said", "unsaid"),
    [
        (["seed=0,1"], r"  price rmse ↓ +(\S+)  +(\S+) to (\S+)  +(\S+)$", "best for"),
        (
            ["seed=0,1", "loss=sum,dwa"],
            r"best for price: loss=\w+ \(val/price/rmse \S+, mean over 2 seeds\)",
            "mean of",
        ),
        (["loss=sum,dwa"], r"best for price: 00\d_loss=\w+ \(val/price/rmse [\d.]+\)", "mean of"),
    ],
    ids=["seeds", "settings and seeds", "settings"],
)
def test_a_sweep_ends_with_the_mean_over_seeds_or_the_best_setting(
    here: Path, words: list[str], said: str, unsaid: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["-m", *SMALL, *words, "trainer.max_steps=2", "hydra.sweep.dir=s"]) == 0
    out = capfd.readouterr().out
    found = re.search(f"^{said}", out, re.MULTILINE)
    assert found and unsaid not in out
    if found.groups():
        values = [float(row["test/price/rmse"]) for row in rows()]
        trivial = [summary["trivial"]["test/price/rmse"] for summary in summaries()]
        shown = [sum(values) / 2, min(values), max(values), sum(trivial) / 2]
        assert list(found.groups()) == [f"{value:.4g}" for value in shown]
        assert re.search(r"^test +mean of 2 seeds +range +trivial$", out, re.MULTILINE) and "\n  sold auroc ↑ " in out


# ---------------------------------------------------------------- a table that is not as it was


@pytest.mark.parametrize("launcher", [["hydra.launcher.processes=1"], ["hydra/launcher=basic"]], ids=["stack", "basic"])
@pytest.mark.parametrize("gone", [False, True], ids=["changed", "gone"])
def test_a_table_that_changes_while_a_sweep_trains_is_not_mixed_with_the_first(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], launcher: list[str], gone: bool
) -> None:
    """What is left is interrupted, and goes on when the table is back."""
    table = Path("houses.csv").read_bytes()
    own = mtlrun.engine.loop.Training.train

    def train(self: Any, progress: Any) -> Any:
        if Path("houses.csv").exists() and Path("houses.csv").read_bytes() == table:
            Path("houses.csv").unlink() if gone else Path("houses.csv").write_bytes(table.replace(b"1", b"2"))
        return own(self, progress)

    monkeypatch.setattr(mtlrun.engine.loop.Training, "train", train)
    words = ["-m", *SMALL, "model.head_hidden=[4],[5],[6]", "trainer.epochs=1", "hydra.sweep.dir=s", *launcher]
    assert main(words) == 1
    assert sorted(statuses()) == ["completed", "interrupted", "interrupted"]
    told = capsys.readouterr()
    assert ("there is no file" if gone else "has changed since this sweep began") in told.out + told.err
    assert "mtlrun resume s" in told.err
    monkeypatch.setattr(mtlrun.engine.loop.Training, "train", own)
    if not gone:
        assert main(["resume", "s"]) == 2
    Path("houses.csv").write_bytes(table)
    assert main(["resume", "s"]) == 0
    assert statuses() == ["completed"] * 3 and len({s["data_hash"] for s in summaries()}) == 1
