"""Stacks at work: in processes of their own side by side, or in this one after another.

On Linux every stack on a CPU has a process, forked when torch is imported and the table is loaded, so that neither
is paid for twice, and the memory of a stack that has ended is free again. On a CUDA device, and where forking is
not safe, stacks train in the calling process in turn.
"""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from mtlrun.config.schema import Config, as_mapping
from mtlrun.data.dataset import load_dataset, require_unchanged
from mtlrun.engine import checkpoint, hardware
from mtlrun.engine.member import Member
from mtlrun.engine.state import part_of
from mtlrun.results import hydra_folder
from mtlrun.results.progress import Progress, SweepProgress
from mtlrun.results.summary import ENDED, record_end, status_of
from mtlrun.results.sweep_folder import STACKS, restacked
from mtlrun.results.writer import log_lines
from mtlrun.runs.run import LAST, first_checkpoint, train_stack
from mtlrun.util.errors import Interrupted, RequestError, StorageError, TrainingError, in_one_line

Tell = Callable[[tuple[Any, ...]], None]
REPORT_SECONDS = 0.5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Job:
    """One run of a sweep: its number there, its folder, the words it was asked for with, its configuration."""

    number: int
    folder: Path
    arguments: Sequence[str]
    config: Config
    data_hash: str | None = None  # of its table when the sweep began


@dataclass(frozen=True)
class Work:
    """The runs of one stack, by the stack's number; what it needs to go on lies in `sweep`."""

    number: int
    sweep: Path
    jobs: Sequence[Job]
    broken: bool = False  # a part of one that ended with an error

    @property
    def checkpoint(self) -> Path:
        """Where the whole stack is saved: in the run's own folder where there is one run only."""
        return stack_checkpoint(self.sweep, self.number, [job.folder for job in self.jobs])


def stack_checkpoint(sweep: Path, number: int, folders: Sequence[Path]) -> Path:
    """The checkpoint of stack `number`."""
    return folders[0] / LAST if len(folders) == 1 else sweep / STACKS / f"{number:03d}.pt"


# ---------------------------------------------------------------- in the process of a stack


def train_here(work: Work, tell: Tell) -> None:
    """Train a stack in this process; `tell` gets what happens, as tuples:

    ("steps", number of the stack, steps taken by all runs, steps that are left at most),
    ("ended", numbers of the runs that have just ended), ("memory", number of the stack, why),
    ("broken", number of the stack, why: one of its runs may be at fault alone),
    ("refused", number of the stack, why it cannot go on).
    An error with a name, and any of a single run, is noted in every run that has not ended. Raises Interrupted after a
    signal.
    """
    try:
        for job in work.jobs:
            if not _has_ended(job):
                hydra_folder.write(job.folder, as_mapping(job.config), job.arguments)
        tell(("ended", []))  # they are running now
        datasets = [load_dataset(job.config) for job in work.jobs]
        for job, dataset in zip(work.jobs, datasets, strict=True):
            require_unchanged(dataset, job.config, job.data_hash, "sweep")

        def ended(members: list[Member]) -> None:
            tell(("ended", [work.jobs[m.at].number for m in members]))

        def progress(total: int, tasks: Sequence[str]) -> Progress:
            return _Told(work, total, tasks, tell)

        configs, folders = [job.config for job in work.jobs], [job.folder for job in work.jobs]
        train_stack(configs, datasets, folders, work.checkpoint, work.number, progress, ended)
    except KeyboardInterrupt:
        with contextlib.suppress(OSError, StorageError):
            for job in work.jobs:
                record_end(job.folder, "interrupted", seed=job.config.seed, settings=as_mapping(job.config))
        raise
    except Exception as error:
        traceback.clear_frames(error.__traceback__)  # they hold the tensors of the stack
        if checkpoint.is_out_of_memory(error) and len(work.jobs) > 1:
            tell(("memory", work.number, in_one_line(error)[:200]))
        elif isinstance(error, (StorageError, RequestError)):
            # the disk, the table or what it was to go on from is not as it was when the sweep was checked: whoever
            # mends that can still go on
            with contextlib.suppress(StorageError):
                for job in work.jobs:
                    record_end(job.folder, "interrupted", seed=job.config.seed, settings=as_mapping(job.config))
            tell(("refused", work.number, str(error)))
        elif len(work.jobs) > 1 and not isinstance(error, TrainingError):
            tell(("broken", work.number, in_one_line(error)[:200]))
        else:
            left = [job.number for job in work.jobs if not _has_ended(job)]
            _fail(work, error)
            tell(("ended", left))
    finally:
        _drop_checkpoint(work)


class _Told(Progress):
    """Progress that is told to whoever shows it, twice a second."""

    def __init__(self, work: Work, total: int, tasks: Sequence[str], tell: Tell) -> None:
        super().__init__(total, tasks)
        self.work, self.tell, self.next = work, tell, 0.0

    def __enter__(self) -> Progress:
        return self

    def show(self, done: int, words: str) -> None:
        self.step(done, None)

    def step(self, step: int, losses: Any) -> None:
        now = time.monotonic()
        if now >= self.next:
            self.next = now + REPORT_SECONDS
            taken, left, runs = self.before + step, self.total - step + self.after, len(self.work.jobs)
            self.tell(("steps", self.work.number, taken * runs, left * runs))


def _has_ended(job: Job) -> bool:
    return status_of(job.folder) in ENDED


def _drop_checkpoint(work: Work) -> None:
    """A stack's checkpoint is of no use once all runs have ended; that of a single run is the run's own."""
    if len(work.jobs) > 1 and all(map(_has_ended, work.jobs)):
        for path in (work.checkpoint, first_checkpoint(work.checkpoint)):
            path.unlink(missing_ok=True)


def _fail(work: Work, error: Exception) -> None:
    """Note an error that ends the whole stack in every run that has not ended, as far as its folder takes that."""
    trace = "".join(traceback.format_exception(error)).rstrip()
    for job in work.jobs:
        if not _has_ended(job):
            with contextlib.suppress(OSError, StorageError):
                settings = as_mapping(job.config)
                record_end(job.folder, "failed", in_one_line(error), seed=job.config.seed, settings=settings)
                log_lines(job.folder, [f"the run failed\n{trace}"])


# ---------------------------------------------------------------- in the process of the sweep


def train_all(works: Sequence[Work], processes: int, display: SweepProgress) -> None:
    """Train stacks, so many processes at once, the largest first; a stack that memory is too small for is halved, and
    so is one that breaks, until the run at fault is alone.

    `processes` 0: in this process, which is a worker itself.

    Raises Interrupted or KeyboardInterrupt once every process has noted where it is.
    """
    waiting = sorted(works, key=lambda work: -len(work.jobs))
    running: dict[Connection, tuple[Work, Any]] = {}
    parted: set[int] = set()  # stacks that others have taken the place of, however their processes end

    def halve(work: Work, why: str, broken: bool = False) -> None:
        parted.add(work.number)
        parts = [replace(part, broken=broken) for part in _halves(work)]
        display.halved(work.number, {part.number: len(part.jobs) for part in parts})
        if not broken:
            display.note(
                f"stack {work.number} may be too large for the memory ({why}): it goes on as two, "
                + " and ".join(_counted(part) for part in parts)
            )
        elif not work.broken:  # said once
            display.note(f"stack {work.number} broke ({why}): it goes on in parts, so that a run at fault fails alone")
        waiting[:0] = parts

    def heard(message: tuple[Any, ...], work: Work) -> None:
        if message[0] == "memory":
            halve(work, message[2])
        elif message[0] == "broken":
            halve(work, message[2], broken=True)
        elif message[0] == "refused":
            display.note(f"stack {message[1]} cannot go on: {message[2]}")
        elif message[0] == "ended":
            display.ended(message[1])
        else:
            display.steps(*message[1:])
        display.refresh()

    forked = processes > 0 and hardware.forks([work.jobs[0].config for work in works])
    if forked and any(job.config.boosting for work in works for job in work.jobs):
        import sklearn.ensemble  # noqa: F401  (once for all processes; it takes a second)

    with contextlib.ExitStack() as cleanup:
        cleanup.callback(_interrupt, running)
        while waiting or running:
            if not forked:
                work = waiting.pop(0)
                train_here(work, lambda message, work=work: heard(message, work))  # type: ignore[misc]
                display.stack_ended(work.number)
                gc.collect()  # what the stack held, on a device too, before the next one
                continue
            while waiting and len(running) < processes:
                work = waiting.pop(0)
                ours, theirs = multiprocessing.Pipe(duplex=False)
                process = multiprocessing.get_context("fork").Process(target=_child, args=(work, theirs, processes))
                sys.stdout.flush()
                with _signals_wait():  # or a process may have been started that nobody knows of, and so nobody ends
                    process.start()
                    running[ours] = (work, process)
                theirs.close()
            for connection in wait(list(running), timeout=REPORT_SECONDS):
                assert isinstance(connection, Connection)
                work, process = running[connection]
                try:
                    message = connection.recv()
                except (EOFError, OSError):  # OSError: it was killed in the middle of a message
                    process.join()
                    del running[connection]
                    connection.close()
                    display.stack_ended(work.number)
                    if work.number not in parted:
                        _ended(process.exitcode, work, halve, display)
                else:
                    heard(message, work)
            display.refresh()


def _child(work: Work, connection: Connection, processes: int) -> None:
    """The life of a forked process: it trains one stack and ends."""

    def tell(message: tuple[Any, ...]) -> None:
        try:
            connection.send(message)
        except BrokenPipeError:  # the parent is gone: end as if it had said so, where it does no harm
            signal.raise_signal(signal.SIGTERM)

    try:
        for signum in (signal.SIGINT, signal.SIGHUP):  # they reach the parent too, which passes them on once
            signal.signal(signum, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _raise_interrupted)
        _end_with_parent()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        hardware.most_threads = max(1, hardware.cores() // processes)
        torch.set_num_threads(1)
        train_here(work, tell)
    except Interrupted as interrupt:
        os._exit(128 + interrupt.signum)


def _raise_interrupted(signum: int, frame: FrameType | None) -> None:
    raise Interrupted(signum)


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """SIGINT and SIGTERM arrive after this; a process that is forked meanwhile lets them in when it is ready."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """Have this process get SIGTERM when its parent dies, however that may be."""
    with contextlib.suppress(OSError, AttributeError):
        set_death_signal = 1
        ctypes.CDLL("libc.so.6").prctl(set_death_signal, signal.SIGTERM)


def _ended(status: int | None, work: Work, halve: Callable[..., None], display: SweepProgress) -> None:
    """What the end of a process means, where it did not say so itself."""
    left = [job for job in work.jobs if not _has_ended(job)]
    if not left:
        _drop_checkpoint(work)
        return
    if status == -signal.SIGKILL:
        if len(work.jobs) > 1:
            halve(work, "signal 9 ended its process")
        else:  # nothing says that the run is at fault
            display.note(f"stack {work.number}: signal 9 ended its process, perhaps for want of memory")
    elif status == 128 + signal.SIGTERM:
        display.note(f"stack {work.number}: its process was told to end (signal 15)")
    elif status not in (0, 128 + signal.SIGINT):
        killed = f"signal {-status}" if status is not None and status < 0 else f"status {status}"
        error = TrainingError(f"the process that trained it ended with {killed}")
        if len(work.jobs) > 1:
            halve(work, str(error), broken=True)
        else:
            _fail(work, error)
            display.ended([job.number for job in left])


def _interrupt(running: dict[Connection, tuple[Work, Any]]) -> None:
    """Have all processes note where they are and end; a further Ctrl-C ends them at once."""
    try:
        for _, process in running.values():
            process.terminate()
        for connection, (_, process) in running.items():
            while os.read(connection.fileno(), 1 << 16):  # a process that is not heard waits
                pass
            process.join()
    except KeyboardInterrupt:
        for _, process in running.values():
            process.kill()
        raise


def _halves(work: Work) -> list[Work]:
    """Two stacks of half the runs each, noted in the sweep's plan, that go on from where the whole was saved; or one,
    where all runs of the other half have ended.

    A half that lacks a loss strategy of the whole, and with it that strategy's parameters, begins anew.
    """
    middle = len(work.jobs) // 2
    slices = [slice(0, middle), slice(middle, len(work.jobs))]
    slices = [runs for runs in slices if not all(map(_has_ended, work.jobs[runs]))]
    with restacked(work.sweep, [[job.number for job in work.jobs[runs]] for runs in slices]) as numbers:
        parts = [Work(n, work.sweep, work.jobs[runs]) for n, runs in zip(numbers, slices, strict=True)]
        if work.checkpoint.exists():
            state = checkpoint.load(work.checkpoint)
            for part, runs in zip(parts, slices, strict=True):
                if _strategies(part) == _strategies(work):
                    checkpoint.save(part.checkpoint, part_of(state, runs))
    for path in (work.checkpoint, first_checkpoint(work.checkpoint)):  # a first stage begins anew where it was
        path.unlink(missing_ok=True)
    return parts


def _counted(part: Work) -> str:
    runs = len(part.jobs)
    return f"{runs} run{'s'[: runs > 1]}" + ("" if part.checkpoint.exists() else " from the beginning")


def _strategies(work: Work) -> list[str]:
    """The loss strategies of a stack, in the order in which it keeps their parameters."""
    return list(dict.fromkeys(job.config.loss.name for job in work.jobs))
