"""Checkpoints: last.pt goes on from where a run was, best.pt is the trained model."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from mtlrun.errors import RequestError
from mtlrun.results.files import write_atomic

SCHEMA = 1


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


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint without executing code. Raises RequestError where it is damaged or of a newer version."""
    try:
        tree: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise RequestError(f"{path}: no such checkpoint") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise RequestError(f"{path}: not a readable checkpoint ({str(error).splitlines()[0]})") from None
    if not isinstance(tree, dict) or tree.get("schema", 0) > SCHEMA:
        found = tree.get("schema") if isinstance(tree, dict) else None
        raise RequestError(f"{path}: schema {found}, this mtlrun reads up to {SCHEMA}\nuse a newer mtlrun")
    return tree
