"""Reads and writes checkpoints. Training resumes from last.pt; best.pt is the trained model."""

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mtlrun.storage.files import write_atomic
from mtlrun.util.errors import RequestError, in_one_line

SCHEMA = 1
MEND = "restore the file, or train anew in another folder"
BEGIN_ANEW = "restore the file, or remove it and begin anew: mtlrun resume"  # of what a run goes on from


def save(path: Path, tree: dict[str, Any], durable: bool = False) -> None:
    """Writes tensors and plain values to `path`, atomically. Raises StorageError.

    `durable`: the new file is on the disk before it replaces an old one.
    """

    def write(beside: Path) -> None:
        with beside.open("wb") as file:  # given a path, torch would hide the system's reason for a failure
            torch.save({"schema": SCHEMA, **tree}, file)
            if durable:
                file.flush()
                os.fsync(file.fileno())

    write_atomic(path, write)
    if durable:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the rename too
        finally:
            os.close(folder)


def load(path: Path, mend: str = MEND) -> dict[str, Any]:
    """Reads a checkpoint without executing code. Raises RequestError if it is damaged or of a newer version."""
    if path.exists() and not path.is_file():
        raise RequestError(f"{path}: is no file\n{mend}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about a file and then refuses or reads it
            tree: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise RequestError(f"{path}: no such checkpoint") from None
    except Exception as error:  # a damaged file may raise any error
        if is_out_of_memory(error):
            raise
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise RequestError(f"{path}: not a readable checkpoint ({why[:100]})\n{mend}") from None
    if (name := _larger_than_it_is(tree)) is not None:
        raise RequestError(f"{path}: not a readable checkpoint ({name} is larger than what is stored of it)\n{mend}")
    schema = tree.get("schema") if isinstance(tree, dict) else None
    if isinstance(schema, bool) or not isinstance(schema, int):
        raise RequestError(f"{path}: not a checkpoint of mtlrun\n{mend}")
    if schema > SCHEMA:
        raise RequestError(f"{path}: schema {schema}, this mtlrun reads up to {SCHEMA}\nuse a newer mtlrun")
    return tree


def is_out_of_memory(error: Exception) -> bool:
    """Returns whether an error says that memory is exhausted, on this machine or a device."""
    words = ("out of memory", "allocate memory", "not enough memory")
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, (RuntimeError, OSError)) and any(w in str(error).lower() for w in words)
    )


def _larger_than_it_is(tree: Any, name: str = "") -> str | None:
    """Returns the name of a tensor that claims more numbers than its file holds: a few bytes can claim terabytes."""
    if isinstance(tree, torch.Tensor):
        small = tree.untyped_storage().nbytes() < tree.numel() * tree.element_size()
        return name.lstrip(".") if small else None
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, (list, tuple)) else ()
    return next((n for key, part in parts if (n := _larger_than_it_is(part, f"{name}.{key}")) is not None), None)


@contextlib.contextmanager
def read_from(path: Path, mend: str = MEND) -> Iterator[None]:
    """While the content of a checkpoint is loaded: raises RequestError if it does not fit.

    The checkpoint may be damaged, or come from another run or another program.
    """
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise RequestError(f"{path}: not the checkpoint of this run ({in_one_line(error)[:100]})\n{mend}") from None
