"""The folder of a run or a sweep: checks that it is free and takes it, so that only one command gets it."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig, OmegaConf

from mtlrun.compose import answered
from mtlrun.data.paths import absolute
from mtlrun.storage.files import made, remove_abandoned
from mtlrun.storage.names import HYDRA_FOLDER, METRICS, PLAN, RESULTS, SUMMARY
from mtlrun.storage.summary import status_of
from mtlrun.util.errors import RequestError, StorageError
from mtlrun.util.interpolation import escaped
from mtlrun.util.shell import resume_command
from mtlrun.util.terminal import say, shown

MARKS_OF_A_RUN = (HYDRA_FOLDER, SUMMARY, METRICS)
MARKS_OF_A_SWEEP = (PLAN, RESULTS)


def free_folder(cfg: DictConfig, key: str) -> Path:
    """The absolute folder that the setting `key` names, which is set in `cfg` for Hydra and its launchers.

    Raises RequestError if it is a file, or holds a run or sweep already.
    """
    with answered():
        named = str(OmegaConf.select(cfg, key, throw_on_missing=True))
    folder = absolute(named, key, Path.cwd())
    _refuse_if_taken(folder, key)
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"{key}: {shown(folder)} is a file\nallowed: a folder, new or without a run in it")
    OmegaConf.update(cfg, key, escaped(str(folder)))
    word = f"{key}={QuotedString(escaped(str(folder)), Quote.single).with_quotes()}"
    words = map(str, OmegaConf.to_container(cfg.hydra.overrides.hydra, resolve=False) or [])
    # a launcher that composes each run by itself reads these words
    cfg.hydra.overrides.hydra = [word if old.lstrip("+").startswith(f"{key}=") else old for old in words]
    return folder


def _refuse_if_taken(folder: Path, key: str) -> None:
    mark = next((mark for mark in (*MARKS_OF_A_SWEEP, *MARKS_OF_A_RUN) if (folder / mark).exists()), None)
    if mark is not None:
        what = "sweep" if mark in MARKS_OF_A_SWEEP else "run"
        raise RequestError(
            f"{key}: {shown(folder)} holds a {what} already ({mark})\n"
            f"choose another folder, or go on with it: {resume_command(folder)}"
        )


@contextlib.contextmanager
def claimed(folder: Path, key: str) -> Iterator[None]:
    """Creates the folder, then runs the body, which writes the files that mark it as taken.

    The body must write them in one step and raise OSError if they exist. So only one of two commands gets the folder.
    Raises RequestError if the folder cannot be created or was taken meanwhile, StorageError if the disk cannot be
    written.
    """
    try:
        with made(folder):
            remove_abandoned(folder)
            yield
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            _refuse_if_taken(folder, key)
        raise RequestError(
            f"{key}: cannot make {shown(folder)} ({error.strerror})\nallowed: a folder, new or without a run in it"
        ) from error


@contextlib.contextmanager
def to_be_resumed(folder: Path) -> Iterator[None]:
    """Prints how to resume the run or sweep in `folder` if an interrupt or StorageError ends the body."""
    try:
        yield
    except (KeyboardInterrupt, StorageError):
        if any((folder / mark).exists() for mark in (PLAN, HYDRA_FOLDER)) and status_of(folder) != "completed":
            say_how_to_go_on(folder)
        raise


def say_how_to_go_on(folder: Path) -> None:
    """Prints the command that resumes the run or sweep in the folder."""
    say(f"mtlrun: go on with: {resume_command(folder)}", error=True)
