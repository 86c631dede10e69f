"""Commands in child processes that are forked here, so that none pays for importing torch, and that may be killed."""

import contextlib
import ctypes
import errno
import faulthandler
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any

import numpy as np
from commands import main

import mtlrun.engine.saving

ROOMS = ("runs.launch", "sweeps.sweep", "sweeps.stack_launcher", "sweeps.resuming", "compare.report.page")
for name in ROOMS:  # before anything forks
    importlib.import_module(f"mtlrun.{name}")

LIMIT = 120.0  # seconds: what takes longer hangs
WATCHED = ("open", "os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree")
TAKE_ROOM = ("open", "os.link", "os.mkdir")
KILLED = -signal.SIGKILL


@dataclass
class Ended:
    """How a command ended: its status, negative for the signal that ended it, and what it printed."""

    status: int
    out: str
    err: str


class Moments:
    """Counts what a command and the processes that it forks do to files below a folder, and kills them all at one of
    these moments, or has the disk be `full` from then on. Between two of them nothing changes on the disk."""

    def __init__(self, folder: Path, at: int | None = None, full: bool = False) -> None:
        self.folder, self.at, self.full = str(folder.resolve()), at, full
        self.memory = shared_memory.SharedMemory(create=True, size=8)
        self.count = np.ndarray((1,), dtype=np.int64, buffer=self.memory.buf)
        self.count[0] = 0

    def watch(self) -> None:
        """Begin, in the process of the command; there is no end to it."""
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in WATCHED or not arguments or not isinstance(arguments[0], (str, bytes, os.PathLike)):
            return
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if not path.startswith(self.folder):
            return
        self.count[0] += 1  # of several processes at once perhaps one too few: any moment is as good
        if self.at is None or self.count[0] < self.at:
            return
        if not self.full:
            os.killpg(0, signal.SIGKILL)
        elif event in TAKE_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    def close(self) -> int:
        """How many there were."""
        found = int(self.count[0])
        del self.count
        self.memory.close()
        self.memory.unlink()
        return found


@contextlib.contextmanager
def started(words: Sequence[str], before: Callable[[], object] | None = None, name: str = "") -> Iterator[int]:
    """A command at work in a process, and a group, of its own: its number. What it prints goes to out.txt and err.txt,
    whose names begin with `name`."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        status = 70
        try:
            os.setpgid(0, 0)
            _die_with_parent()
            faulthandler.disable()
            for number, file in ((1, f"{name}out.txt"), (2, f"{name}err.txt")):
                os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
            sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if before is not None:
                before()
            status = main(list(words))
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)
    with contextlib.suppress(OSError):
        os.setpgid(child, child)
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)


def wait(child: int, limit: float = LIMIT, name: str = "") -> Ended:
    """Waits for the end of a command. Raises TimeoutError."""
    until = time.monotonic() + limit
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            break
        if time.monotonic() > until:
            raise TimeoutError(f"still at work after {limit} s: {Path(f'{name}out.txt').read_text()[-2000:]}")
        time.sleep(0.005)
    out, err = (Path(f"{name}{stream}.txt").read_text() for stream in ("out", "err"))
    ended = Ended(os.waitstatus_to_exitcode(status), out, err)
    assert "Traceback" not in ended.err, ended.err
    return ended


def command(words: Sequence[str], before: Callable[[], object] | None = None) -> Ended:
    """A command from its beginning to its end, with what else its process does `before`."""
    with started(words, before) as child:
        return wait(child)


def hurt_at(
    moment: int | None,
    words: Sequence[str],
    folder: Path,
    before: Callable[[], object] = lambda: None,
    full: bool = False,
) -> tuple[Ended, int]:
    """A command that is killed at a moment, or has a full disk from then on; None: neither. And how many there were."""
    moments = Moments(folder, moment, full)

    def begin() -> None:
        before()
        moments.watch()

    try:
        ended = command(words, begin)
    finally:
        count = moments.close()
    return ended, count


def often_saved() -> None:
    """Have checkpoints written at every evaluation, and not every five seconds."""
    mtlrun.engine.saving.CHECKPOINT_SECONDS = 0.0
    mtlrun.engine.saving.CHECKPOINT_SHARE = 0


def _die_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):
        set_death_signal = 1
        ctypes.CDLL("libc.so.6").prctl(set_death_signal, signal.SIGKILL)
