"""Checkpoints: last.pt goes on from where a run was, best.pt is the trained model."""

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mtlrun.results.files import write_atomic
from mtlrun.util.errors import RequestError, in_one_line

SCHEMA = 1
MEND = "restore the file, or train anew in another folder"
BEGIN_ANEW = "restore the file, or remove it and begin anew: mtlrun resume"  # of what a run goes on from


def save(path: Path, tree: dict[str, Any], durable: bool = False) -> None:
    """Write tensors and plain values to `path`, atomically; `durable`: it is on the disk before it takes the place of
    another. Raises StorageError."""

    def write(beside: Path) -> None:
        with beside.open("wb") as file:  # given a path, torch would write it without the system's reasons for failing
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
    """Read a checkpoint without executing code. Raises RequestError where it is damaged or of a newer version."""
    if path.exists() and not path.is_file():
        raise RequestError(f"{path}: is no file\n{mend}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch finds odd about a file it either refuses or reads
            tree: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise RequestError(f"{path}: no such checkpoint") from None
    except Exception as error:  # whatever a damaged file leads to
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
    """Whether an error says that there is too little memory, here or on a device."""
    words = ("out of memory", "allocate memory", "not enough memory")
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, (RuntimeError, OSError)) and any(w in str(error).lower() for w in words)
    )


def _larger_than_it_is(tree: Any, name: str = "") -> str | None:
    """The name of a tensor that says to have more numbers than its file holds: a few bytes may stand for terabytes."""
    if isinstance(tree, torch.Tensor):
        small = tree.untyped_storage().nbytes() < tree.numel() * tree.element_size()
        return name.lstrip(".") if small else None
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, (list, tuple)) else ()
    return next((n for key, part in parts if (n := _larger_than_it_is(part, f"{name}.{key}")) is not None), None)


@contextlib.contextmanager
def read_from(path: Path, mend: str = MEND) -> Iterator[None]:
    """While what a checkpoint holds is taken over: what does not fit, as a RequestError. It may be damaged, or another
    run's, or a stranger's."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise RequestError(f"{path}: not the checkpoint of this run ({in_one_line(error)[:100]})\n{mend}") from None
