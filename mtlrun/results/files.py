"""Files that are whole or not there, and folders that one command at a time goes on with."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mtlrun.errors import RequestError


@contextlib.contextmanager
def at_work(folder: Path, alone: bool = False, patience: float = 5.0) -> Iterator[None]:
    """Marks a run's or sweep's folder as being worked in, by this process and those that it forks, until they end.

    Any number may work there, but none beside one that is `alone`. Raises RequestError where that one, having waited
    `patience` seconds, is not.
    """
    with open(folder / ".lock", "w") as file:
        until = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise RequestError(f"{folder}: another command is at work in this folder\n"
                                       "wait until it has ended, or end it first") from None  # fmt: skip
                time.sleep(0.1)
        yield


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then rename it: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically."""
    write_atomic(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def write_json(path: Path, tree: Any) -> None:
    """Write `tree` to `path` as JSON, atomically. Numbers that are not finite are an error."""
    write_text(path, json.dumps(tree, indent=2, allow_nan=False, ensure_ascii=False, default=str) + "\n")
