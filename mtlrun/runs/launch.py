"""One composed request, run by Hydra: a run in its folder; and what runs and sweeps have in common.

torch loads only when a run is prepared, so that a wrong request is answered without it.
"""

import contextlib
import errno
import logging
import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.callbacks import Callbacks
from hydra.core.utils import run_job
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from mtlrun.compose import ROOT, Request, answered, single
from mtlrun.config.schema import Config, as_mapping
from mtlrun.data.paths import absolute, require_files
from mtlrun.results import hydra_folder
from mtlrun.results.files import at_work, disk, take_over
from mtlrun.results.summary import record_end, status_of
from mtlrun.results.sweep_folder import PLAN, TABLE, rebuild
from mtlrun.util.errors import RequestError, StorageError, in_one_line
from mtlrun.util.terminal import say

if TYPE_CHECKING:
    from mtlrun.runs.run import PreparedRun

log = logging.getLogger("mtlrun.runs.launch")

MARKS_OF_A_RUN = (".hydra", "summary.json", "metrics.csv")
MARKS_OF_A_SWEEP = (PLAN, TABLE)


def run_one(request: Request) -> int:
    """Trains the one run that is asked for; the exit status.

    Raises RequestError before anything is written; KeyboardInterrupt passes.
    """
    config = single(request)
    print_notes(request)
    folder = free_folder(request.cfg, "hydra.run.dir")
    require_files(config.data.path, config.data.split.files or {})
    from mtlrun.data.dataset import load_dataset

    load_dataset(config)  # what is wrong with the table is answered before torch is loaded; it is read once
    from mtlrun.runs.run import prepare

    run = prepare(config)
    with to_be_resumed(folder):
        return _train_one(request, config, folder, run)


def _train_one(request: Request, config: Config, folder: Path, run: "PreparedRun") -> int:
    before = list(folder.iterdir()) if folder.is_dir() else []
    with claimed(folder, "hydra.run.dir"):
        hydra_folder.claim(
            folder, as_mapping(config), list(request.cfg.hydra.overrides.task), _hydra_yaml(request.cfg, folder)
        )

    def work() -> None:
        run.train(folder)

    stopped: list[StorageError] = []  # Hydra would keep it, and print a line of its own
    begun: list[bool] = []
    place, board = shown(folder), tensorboard_command(folder)  # before hydra.job.chdir

    def task(_: DictConfig) -> str | None:
        begun.append(True)
        try:
            error = guarded(folder, config, work)
        except StorageError as full:
            stopped.append(full)
            return None
        if error is None:
            log.info("results: %s", place)
            if config.trainer.tensorboard:
                log.info("%s", board)
        return error

    try:
        callbacks = Callbacks(request.cfg)
        callbacks.on_run_start(config=request.cfg, config_name=ROOT)
        context = HydraContext(config_loader=request.loader, callbacks=callbacks)
        with at_work(folder), disk(folder / "run.log"):  # which Hydra opens
            job = run_job(task, request.cfg, job_dir_key="hydra.run.dir", job_subdir_key=None, hydra_context=context)
    except (RequestError, StorageError):
        raise
    except Exception as error:
        if begun:
            raise
        # what was typed of Hydra's settings is wrong in a way that it has found only now
        _give_back(folder, before)
        words = [word for word in request.overrides if word.lstrip("+~").startswith("hydra")]
        raise RequestError(
            f"{', '.join(words) or 'hydra'}: {in_one_line(error)[:200]}\n"
            "leave out what was set of hydra's own settings, or mend it"
        ) from error
    if stopped:
        raise stopped[0]
    callbacks.on_run_end(config=request.cfg, config_name=ROOT, job_return=job)
    return 0 if job.return_value is None else _say_failed(folder, job.return_value)


def _give_back(folder: Path, before: list[Path]) -> None:
    """Leaves a folder that was claimed as it was, with what lay there `before`."""
    shutil.rmtree(folder / hydra_folder.FOLDER, ignore_errors=True)
    with contextlib.suppress(OSError):
        for name in (".lock", "run.log"):
            if folder / name not in before:
                (folder / name).unlink(missing_ok=True)
        if not before:
            folder.rmdir()


def _hydra_yaml(cfg: DictConfig, folder: Path) -> str:
    """Hydra's own settings, as it writes them into hydra.yaml."""
    own = OmegaConf.masked_copy(cfg, "hydra")
    with open_dict(own):
        own.hydra.runtime.output_dir = str(folder)
    return OmegaConf.to_yaml(own)


def resume(folder: Path) -> int:
    """Goes on with an interrupted run or sweep; the exit status. Raises RequestError if the folder holds none."""
    with to_be_resumed(folder):
        return _resume(folder)


def _resume(folder: Path) -> int:
    from mtlrun.sweeps.sweep import part_of_a_stack, resume_sweep

    if (folder / PLAN).is_file():
        with at_work(folder, alone=True):
            take_over(folder)
            return resume_sweep(folder)
    if not (folder / hydra_folder.FOLDER / hydra_folder.CONFIG).is_file():
        raise RequestError(f"{folder}: there is no run in it\nallowed: the folder of a run or sweep, outputs/runs/...")
    if status_of(folder) == "completed":
        say(f"{shown(folder)}: finished already")
        return 0
    runs = part_of_a_stack(folder)
    if runs > 1:
        raise RequestError(
            f"{shown(folder)}: trains in a stack of {runs} runs\n"
            f"go on with all of them: mtlrun resume {shlex.quote(shown(folder.parent))}"
        )
    from mtlrun.runs.run import resume as resume_run

    handlers: list[logging.Handler] = []
    try:
        with at_work(folder.parent if (folder.parent / PLAN).is_file() else folder, alone=True):
            take_over(folder)
            handlers = log_to(folder / "run.log")
            summary = resume_run(folder)
        log.info("results: %s", shown(folder))
        if summary["settings"]["trainer"]["tensorboard"]:
            log.info("%s", tensorboard_command(folder))
    except (RequestError, StorageError):
        raise
    except Exception as error:
        return _say_failed(folder, _note_failure(folder, error))
    finally:
        close_log(handlers)
        if (folder.parent / PLAN).exists():
            rebuild(folder.parent)
    return 0


def print_notes(request: Request) -> None:
    """What composing found worth a line."""
    for note in request.notes:
        say(note)


def shown(path: Path) -> str:
    """A path for people: relative where it lies below the working directory."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def tensorboard_command(folder: Path) -> str:
    """The command that opens TensorBoard on `folder`, with a path where its environment is not the active one."""
    beside = Path(sys.executable).parent / "tensorboard"
    found = shutil.which("tensorboard")
    program = "tensorboard" if found or not beside.exists() else shown(beside)
    return f"{shlex.quote(program)} --logdir {shlex.quote(shown(folder))}"


def guarded(folder: Path, config: Config, work: Callable[[], Any]) -> str | None:
    """Does the work of a run. None, or the error in one line if it failed; an interrupt is noted and passes, and so is
    a disk that takes no more."""
    try:
        work()
    except (KeyboardInterrupt, StorageError):
        with contextlib.suppress(OSError, StorageError):
            record_end(folder, "interrupted", seed=config.seed, settings=as_mapping(config))
        raise
    except Exception as error:
        return _note_failure(folder, error, config)
    return None


def _note_failure(folder: Path, error: Exception, config: Config | None = None) -> str:
    """Puts an error into the run's summary.json and its traceback into run.log; the error in one line."""
    message = in_one_line(error)
    # a request was checked before: the table, a checkpoint or a file is not as it was, and may be again
    status = "interrupted" if isinstance(error, RequestError) else "failed"
    known = {"seed": config.seed, "settings": as_mapping(config)} if config is not None else {}
    record_end(folder, status, message, **known)
    log.debug("the run failed", exc_info=error)  # the console shows INFO and above
    _drop_frames(error)
    return message


def _say_failed(folder: Path, message: str) -> int:
    say(f"mtlrun: the run failed: {message}\nits log: {shown(folder / 'run.log')}", error=True)
    return 1


def _drop_frames(error: BaseException | None) -> None:
    """Hydra keeps exceptions, their frames keep tensors: let go of what a failed run held."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


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
    say(f"mtlrun: go on with: mtlrun resume {shlex.quote(shown(folder))}", error=True)


def free_folder(cfg: DictConfig, key: str) -> Path:
    """The folder that `key` names. Raises RequestError if it holds a run or a sweep already."""
    with answered():
        asked_for = str(OmegaConf.select(cfg, key, throw_on_missing=True))
    folder = absolute(asked_for, key, Path.cwd())
    _refuse_if_taken(folder, key)
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"{key}: {shown(folder)} is a file\nallowed: a folder, new or without a run in it")
    return folder


def _refuse_if_taken(folder: Path, key: str) -> None:
    found = next((mark for mark in (*MARKS_OF_A_SWEEP, *MARKS_OF_A_RUN) if (folder / mark).exists()), None)
    if found is not None:
        what = "sweep" if found in MARKS_OF_A_SWEEP else "run"
        raise RequestError(
            f"{key}: {shown(folder)} holds a {what} already ({found})\n"
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


def log_to(path: Path) -> list[logging.Handler]:
    """The handlers that conf/config.yaml gives a run, for a run that Hydra does not start."""
    console = logging.StreamHandler(sys.stdout)
    console.setLevel(logging.INFO)
    console.setFormatter(logging.Formatter("%(message)s"))
    file = logging.FileHandler(path)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.handlers[:] = [console, file]
    logging.getLogger("mtlrun").setLevel(logging.DEBUG)
    return [console, file]


def close_log(handlers: list[logging.Handler]) -> None:
    """Takes handlers off the root logger and closes their files."""
    for handler in handlers:
        logging.getLogger().removeHandler(handler)
        handler.close()
