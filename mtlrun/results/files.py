"""Files that are whole or not there, and folders that one command at a time goes on with."""

import contextlib
import errno
import fcntl
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mtlrun.util.errors import RequestError, StorageError

PATIENCE = 5.0  # seconds: workers that have been told to end may take as long
TAKES_NO_MORE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ESTALE,
    errno.ETIMEDOUT,
)  # whatever is to be written, and by whom
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)  # of file systems without
BESIDE = re.compile(r"\..+\.beside-[0-9a-f]{8}")  # a file that is being written beside the one whose place it takes


@contextlib.contextmanager
def at_work(folder: Path, alone: bool = False) -> Iterator[None]:
    """Marks a run's or sweep's folder as being worked in, by this process and those that it forks, until they end.

    Any number may work there, but none beside one that is `alone`. Raises RequestError where that one, having waited
    `PATIENCE` seconds, is not.
    """
    with _lock_file(folder / ".lock") as file:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise RequestError(
                        f"{folder}: another command is at work in this folder\nwait until it has ended, or end it first"
                    ) from None
                time.sleep(0.1)
        yield


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Waits for the lock of the file `path`, which nobody else has meanwhile."""
    with _lock_file(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _lock_file(path: Path) -> Iterator[int]:
    """A file that is there to be locked; where it is a link it is refused, as is whatever it leads to."""
    try:
        with disk(path):
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise RequestError(
            f"{path}: cannot be locked ({error.strerror})\n"
            "allowed: a file of mtlrun's own, in a folder that you may write to"
        ) from None
    try:
        yield file
    finally:
        os.close(file)


@contextlib.contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turns what the system says of a disk that takes no more, while `path` is written, into a StorageError."""
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None:  # torch.save raises an error of its own in place of the system's
            if isinstance(cause, OSError) and cause.errno in TAKES_NO_MORE:
                raise StorageError(
                    f"{path}: cannot be written ({cause.strerror})\nwhat was written before is whole; make room"
                ) from error
            cause = cause.__cause__ or cause.__context__
        raise


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then rename it: a reader sees the old file or the new one.

    Raises StorageError where the disk takes no more; `path` is as it was then.
    """
    beside = _beside(path)
    with disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(beside)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically. Raises StorageError."""
    write_atomic(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def write_json(path: Path, tree: Any) -> None:
    """Write `tree` to `path` as JSON, atomically. Raises StorageError."""
    write_text(path, as_json(tree))


def as_json(tree: Any) -> str:
    """`tree` as JSON. Raises ValueError for numbers that are not finite."""
    return json.dumps(tree, indent=2, allow_nan=False, ensure_ascii=False, default=str) + "\n"


def create(path: Path, text: str) -> None:
    """Makes a file with `text` in it, in one step. Raises FileExistsError where there is one, and StorageError."""
    beside = _beside(path)
    with disk(path):
        try:
            beside.write_text(text, encoding="utf-8")
            try:
                os.link(beside, path)
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                path.open("x").close()
                os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


def create_folder(path: Path, fill: Callable[[Path], object]) -> None:
    """Makes a folder with what `fill` puts into it, in one step.

    Raises FileExistsError or OSError (ENOTEMPTY) where there is one that holds something, and StorageError.
    """
    beside = _beside(path)
    with disk(path):
        try:
            if path.exists():  # also an empty one, whose place it would take
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
            beside.mkdir(parents=True)
            fill(beside)
            os.rename(beside, path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.beside-{secrets.token_hex(4)}")


def append(path: Path, data: bytes) -> None:
    """Append `data`, whole or not at all, to a file that exists.

    Raises StorageError, and FileNotFoundError where the file is gone: without its beginning it would be of no use.
    """
    with disk(path):
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            size = os.fstat(file).st_size
            try:
                while data:  # the system may take only a part
                    data = data[os.write(file, data) :]
            except OSError:
                os.ftruncate(file, size)
                raise
        finally:
            os.close(file)


def take_over(folder: Path) -> None:
    """Before a command goes on in the folder of a run or sweep, alone: removes what one that was killed was writing
    beside other files. Raises RequestError for links, which might lead anywhere, and for what is no file."""
    for below, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "compare"]
        for name in [*folders, *files]:
            path = Path(below, name)
            if path.is_symlink():
                raise RequestError(
                    f"{path}: is a link to {os.readlink(path)}\n"
                    "allowed: the files of a run or sweep themselves, in its folder"
                )
            if not path.is_file() and not path.is_dir():
                raise RequestError(f"{path}: is no file\nallowed: the files of a run or sweep, in its folder")
            if BESIDE.fullmatch(name):
                shutil.rmtree(path) if name in folders else path.unlink(missing_ok=True)
