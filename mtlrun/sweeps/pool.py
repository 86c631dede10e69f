"""Trains stacks, in parallel processes or one after another in this process.

On Linux every stack on a CPU has a separate process. It is forked after torch is imported and the table is loaded, so
that both are done once. The memory of a stack is free after its process ends. On a CUDA device, and if forking is not
safe, stacks train one after another in the calling process.

The pool is written by hand: if the system kills a process because memory is short, its stack is halved and the others
continue.
`concurrent.futures` then gives up the whole pool.
"""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

import torch

from mtlrun.engine import hardware
from mtlrun.storage.progress import SweepProgress
from mtlrun.sweeps.halving import halves
from mtlrun.sweeps.stack_process import REPORT_SECONDS, note_failure, train_here
from mtlrun.sweeps.work import Broken, Ended, Message, OutOfMemory, Refused, Steps, Work
from mtlrun.util.errors import Interrupted, TrainingError, counted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def train_all(works: Sequence[Work], processes: int, display: SweepProgress) -> None:
    """Trains stacks, the largest first. Halves a stack that is too large for the memory.

    Also halves a stack that ends with an error, until the run that causes it is alone.

    processes: the number of parallel processes; 0: in this process, which is a worker of another launcher
    Raises Interrupted or KeyboardInterrupt after every process has saved its progress.
    """
    pool = Pool(works, processes, display)
    if processes > 0 and hardware.forks([work.jobs[0].config for work in works]):
        pool.train_in_processes()
    else:
        pool.train_in_turn()


class Pool:
    """The stacks that wait and the stacks that train."""

    def __init__(self, works: Sequence[Work], processes: int, display: SweepProgress) -> None:
        self.waiting = sorted(works, key=lambda work: -len(work.jobs))
        self.processes, self.display = processes, display
        self.running: dict[Connection, tuple[Work, Any]] = {}  # the stack and its process, by connection
        self.parted: set[int] = set()  # stacks that were halved: it does not matter how their processes end

    def train_in_turn(self) -> None:
        """Trains all stacks in this process, one after another."""
        while self.waiting:
            work = self.waiting.pop(0)
            train_here(work, lambda message, work=work: self.receive(message, work))  # type: ignore[misc]
            self.display.stack_ended(work.number)
            gc.collect()  # frees the memory of the stack, on a device too

    def train_in_processes(self) -> None:
        """Trains every stack in a separate process."""
        if any(job.config.boosting for work in self.waiting for job in work.jobs):
            import sklearn.ensemble  # noqa: F401  (loads once for all processes; takes a second)

        with contextlib.ExitStack() as cleanup:
            cleanup.callback(_interrupt, self.running)
            while self.waiting or self.running:
                while self.waiting and len(self.running) < self.processes:
                    self._start(self.waiting.pop(0))
                for connection in wait(list(self.running), timeout=REPORT_SECONDS):
                    assert isinstance(connection, Connection)
                    self._read(connection)
                self.display.refresh()

    def _start(self, work: Work) -> None:
        """Forks a process that trains the stack."""
        receiving, sending = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(target=_child, args=(work, sending, self.processes))
        sys.stdout.flush()
        with _signals_wait():  # a signal between the two lines would leave a process that nobody ends
            process.start()
            self.running[receiving] = (work, process)
        sending.close()

    def _read(self, connection: Connection) -> None:
        """Receives a message from a process, or handles its end."""
        work, process = self.running[connection]
        try:
            message = connection.recv()
        except (EOFError, OSError):  # OSError: it was killed while it sent a message
            process.join()
            del self.running[connection]
            connection.close()
            self.display.stack_ended(work.number)
            if work.number not in self.parted:
                self.process_ended(process.exitcode, work)
        else:
            self.receive(message, work)

    def receive(self, message: Message, work: Work) -> None:
        """Handles a message from a stack."""
        match message:
            case Steps(taken, left):
                self.display.steps(work.number, taken, left)
            case Ended(runs):
                self.display.ended([*runs])
            case OutOfMemory(why):
                self.halve(work, why)
            case Broken(why):
                self.halve(work, why, broken=True)
            case Refused(why):
                self.display.note(f"stack {work.number} cannot go on: {why}")
        self.display.refresh()

    def process_ended(self, status: int | None, work: Work) -> None:
        """Handles the end of a process, from its exit status and the runs that have not ended."""
        unfinished = work.unfinished
        if not unfinished:
            work.drop_needless_checkpoint()
        elif status == -signal.SIGKILL:
            if len(work.jobs) > 1:
                self.halve(work, "signal 9 ended its process")
            else:  # the run is not recorded as failed, because it may not be the cause
                self.display.note(f"stack {work.number}: signal 9 ended its process, perhaps for want of memory")
        elif status == 128 + signal.SIGTERM:
            self.display.note(f"stack {work.number}: its process was told to end (signal 15)")
        elif status not in (0, 128 + signal.SIGINT):
            killed = f"signal {-status}" if status is not None and status < 0 else f"status {status}"
            error = TrainingError(f"the process that trained it ended with {killed}")
            if len(work.jobs) > 1:
                self.halve(work, str(error), broken=True)
            else:
                note_failure(work, error)
                self.display.ended([job.number for job in unfinished])

    def halve(self, work: Work, why: str, broken: bool = False) -> None:
        """Puts two stacks with half the runs each in front of the waiting ones, in place of a stack."""
        self.parted.add(work.number)
        parts = [replace(part, broken=broken) for part in halves(work)]
        self.display.halved(work.number, {part.number: len(part.jobs) for part in parts})
        if not broken:
            self.display.note(
                f"stack {work.number} may be too large for the memory ({why}): it goes on as two, "
                + " and ".join(_runs_of(part) for part in parts)
            )
        elif not work.broken:  # noted once, not for every part
            self.display.note(
                f"stack {work.number} broke ({why}): it goes on in parts, so that a run at fault fails alone"
            )
        self.waiting[:0] = parts


def _runs_of(part: Work) -> str:
    return counted(len(part.jobs), "run") + ("" if part.checkpoint.exists() else " from the beginning")


# ---------------------------------------------------------------- processes


def _child(work: Work, connection: Connection, processes: int) -> None:
    """The main function of a forked process: trains one stack."""

    def send(message: Message) -> None:
        try:
            connection.send(message)
        except BrokenPipeError:  # the parent is gone: end as after its SIGTERM, at a point where files are complete
            signal.raise_signal(signal.SIGTERM)

    try:
        for signum in (signal.SIGINT, signal.SIGHUP):  # the parent gets them too and sends SIGTERM
            signal.signal(signum, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _raise_interrupted)
        _end_with_parent()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        hardware.most_threads = max(1, hardware.cores() // processes)
        torch.set_num_threads(1)
        train_here(work, send)
    except Interrupted as interrupt:
        os._exit(128 + interrupt.signum)


def _raise_interrupted(signum: int, frame: FrameType | None) -> None:
    raise Interrupted(signum)


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """Blocks SIGINT, SIGTERM and SIGHUP meanwhile. A process that is forked here unblocks them when it is ready."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """Makes the system send SIGTERM to this process when its parent dies. Does nothing on other systems than Linux."""
    with contextlib.suppress(OSError, AttributeError):
        set_death_signal = 1
        ctypes.CDLL("libc.so.6").prctl(set_death_signal, signal.SIGTERM)


def _interrupt(running: dict[Connection, tuple[Work, Any]]) -> None:
    """Makes all processes save their progress and end. Another Ctrl-C kills them."""
    try:
        for _, process in running.values():
            process.terminate()
        for connection, (_, process) in running.items():
            while os.read(connection.fileno(), 1 << 16):  # a process blocks if nobody reads its messages
                pass
            process.join()
    except KeyboardInterrupt:
        for _, process in running.values():
            process.kill()
        raise
