"""The folder of a run or a sweep: whether it is free, and how one command of several takes it."""

import contextlib
import errno
import shlex
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from mtlrun.compose import answered
from mtlrun.data.paths import absolute
from mtlrun.results import hydra_folder
from mtlrun.results.files import disk
from mtlrun.results.results_table import TABLE
from mtlrun.results.summary import status_of
from mtlrun.results.sweep_folder import PLAN
from mtlrun.util.errors import RequestError, StorageError
from mtlrun.util.terminal import say, shown

MARKS_OF_A_RUN = (".hydra", "summary.json", "metrics.csv")
MARKS_OF_A_SWEEP = (PLAN, TABLE)


def free_folder(cfg: DictConfig, key: str) -> Path:
    """The folder that `key` names. Raises RequestError if it holds a run or a sweep already."""
    with answered():
        named = str(OmegaConf.select(cfg, key, throw_on_missing=True))
    folder = absolute(named, key, Path.cwd())
    _refuse_if_taken(folder, key)
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"{key}: {shown(folder)} is a file\nallowed: a folder, new or without a run in it")
    return folder


def _refuse_if_taken(folder: Path, key: str) -> None:
    mark = next((mark for mark in (*MARKS_OF_A_SWEEP, *MARKS_OF_A_RUN) if (folder / mark).exists()), None)
    if mark is not None:
        what = "sweep" if mark in MARKS_OF_A_SWEEP else "run"
        raise RequestError(
            f"{key}: {shown(folder)} holds a {what} already ({mark})\n"
            f"choose another folder, or go on with it: mtlrun resume {shown(folder)}"
        )


@contextlib.contextmanager
def claimed(folder: Path, key: str) -> Iterator[None]:
    """Makes the folder, and inside what says that it is taken is to be written, in one step: of two commands at once,
    one gets it. Raises RequestError if the folder cannot be made or was taken meanwhile, and StorageError.
    """
    try:
        with disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            _refuse_if_taken(folder, key)
        raise RequestError(
            f"{key}: cannot make {shown(folder)} ({error.strerror})\nallowed: a folder, new or without a run in it"
        ) from error


@contextlib.contextmanager
def to_be_resumed(folder: Path) -> Iterator[None]:
    """Says how to go on with the run or sweep in `folder` where it is interrupted, or the disk takes no more."""
    try:
        yield
    except (KeyboardInterrupt, StorageError):
        if any((folder / mark).exists() for mark in (PLAN, hydra_folder.FOLDER)) and status_of(folder) != "completed":
            say_how_to_go_on(folder)
        raise


def say_how_to_go_on(folder: Path) -> None:
    """The command that resumes what the folder holds."""
    say(f"mtlrun: go on with: mtlrun resume {shlex.quote(shown(folder))}", error=True)
