"""Writes files atomically, and locks folders so that only one command works in them."""

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

PATIENCE = 5.0  # seconds; workers that received a signal may take as long to end
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
)  # errors of the disk or the system, not of one file or of its permissions
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)  # file systems without hard links
BESIDE = re.compile(r"\..+\.beside-[0-9a-f]{8}")  # a temporary file or folder; renamed when it is complete


@contextlib.contextmanager
def at_work(folder: Path, alone: bool = False) -> Iterator[None]:
    """Locks the folder of a run or sweep for this process and the processes that it forks, until all of them end.

    Several processes may share the lock. With `alone` the lock is exclusive. Raises RequestError if the lock is not
    free after `PATIENCE` seconds.
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
    """Holds an exclusive lock on the lock file `path`. Waits until the lock is free."""
    with _lock_file(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _lock_file(path: Path) -> Iterator[int]:
    """Opens a lock file, creates it if needed, and gives its descriptor. Raises RequestError for a symbolic link."""
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
    """Raises StorageError in place of an error of the disk (`TAKES_NO_MORE`) while `path` is written."""
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None:  # torch.save replaces the OSError by another error
            if isinstance(cause, OSError) and cause.errno in TAKES_NO_MORE:
                raise StorageError(
                    f"{path}: cannot be written ({cause.strerror})\nwhat was written before is whole; make room"
                ) from error
            cause = cause.__cause__ or cause.__context__
        raise


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a temporary file, then renames it to `path`. A reader sees the old file or the new one.

    Raises StorageError if the disk cannot be written; `path` is then unchanged.
    """
    with _beside(path) as beside:
        write(beside)
        os.replace(beside, path)


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path` atomically. Raises StorageError."""
    write_atomic(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def write_json(path: Path, tree: Any) -> None:
    """Writes `tree` to `path` as JSON, atomically. Raises StorageError."""
    write_text(path, as_json(tree))


def as_json(tree: Any) -> str:
    """`tree` as JSON. Raises ValueError for numbers that are not finite."""
    return json.dumps(tree, indent=2, allow_nan=False, ensure_ascii=False, default=str) + "\n"


def create(path: Path, text: str) -> None:
    """Creates a file with `text` in one step. Raises FileExistsError if it exists, and StorageError."""
    with _beside(path) as beside:
        beside.write_text(text, encoding="utf-8")
        try:
            os.link(beside, path)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            path.open("x").close()
            os.replace(beside, path)


def create_folder(path: Path, fill: Callable[[Path], object]) -> None:
    """Creates a folder with the files that `fill` writes, in one step.

    Raises FileExistsError or OSError (ENOTEMPTY) if it exists, and StorageError.
    """
    with _beside(path, folder=True) as beside:
        if path.exists():  # os.rename would replace an empty folder
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        fill(beside)
        os.rename(beside, path)


@contextlib.contextmanager
def _beside(path: Path, folder: bool = False) -> Iterator[Path]:
    """Gives a temporary file or folder beside `path`, and removes it at the end. Makes the folders above it.

    It is locked until then, so that `remove_abandoned` leaves it alone. An error names `path`.
    """
    beside = path.with_name(f".{path.name}.beside-{secrets.token_hex(4)}")
    with disk(path), made(path.parent):
        lock = None
        try:
            if folder:
                beside.mkdir()
            lock = os.open(beside, os.O_RDONLY if folder else os.O_RDWR | os.O_CREAT, 0o666)
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield beside
        except OSError as error:
            if str(error.filename).startswith(str(beside)):
                error.filename = str(path) + str(error.filename)[len(str(beside)) :]
            raise
        finally:
            if lock is not None:
                os.close(lock)
            shutil.rmtree(beside, ignore_errors=True) if folder else beside.unlink(missing_ok=True)


@contextlib.contextmanager
def made(folder: Path) -> Iterator[None]:
    """Makes a folder and its parents. If the body fails, removes the folders that it made, unless they hold files."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        with disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # not empty
            for place in missing:
                if place.exists():
                    place.rmdir()
        raise


def remove_abandoned(folder: Path, name: str = "*") -> None:
    """Removes the temporary files in a folder whose commands were killed. Those of a command at work stay.

    name: a pattern for the names of the files that were to be written
    """
    for path in folder.glob(f".{name}.beside-*"):
        if not BESIDE.fullmatch(path.name) or path.is_symlink():
            continue
        with contextlib.suppress(OSError):  # in use, gone meanwhile, or not ours to remove
            lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(lock)


def append(path: Path, data: bytes) -> None:
    """Appends all of `data`, or nothing, to an existing file.

    Raises StorageError, and FileNotFoundError if the file is gone: a new file would lack the beginning.
    """
    with disk(path):
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            size = os.fstat(file).st_size
            try:
                while data:  # os.write may write only a part
                    data = data[os.write(file, data) :]
            except OSError:
                os.ftruncate(file, size)
                raise
        finally:
            os.close(file)


def take_over(folder: Path) -> None:
    """Prepares the folder of a run or sweep for a command that continues there.

    Removes the temporary files of a killed command, so the caller must hold the exclusive lock. Raises RequestError for
    a symbolic link, which may lead out of the folder, and for anything that is neither a file nor a folder.
    """
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
