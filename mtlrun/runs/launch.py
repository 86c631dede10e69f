"""Starts a single run through Hydra, which opens its log and calls Hydra's callbacks.

torch loads only when the run is prepared, so that a wrong request is answered without it.
"""

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.utils import run_job
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from mtlrun.compose import ROOT, Request, single
from mtlrun.config.schema import Config, as_mapping
from mtlrun.data.paths import require_files
from mtlrun.runs.failure import guarded, say_failed
from mtlrun.runs.folder import claimed, free_folder, to_be_resumed
from mtlrun.runs.logs import tensorboard_command
from mtlrun.storage import hydra_folder
from mtlrun.storage.files import at_work, disk
from mtlrun.storage.names import HYDRA_FOLDER, LOG
from mtlrun.util.errors import RequestError, StorageError, in_one_line
from mtlrun.util.interpolation import escaped
from mtlrun.util.terminal import say, shown

log = logging.getLogger("mtlrun.runs.launch")


def run_one(request: Request) -> int:
    """Trains the run of a request. Returns the exit status.

    Raises RequestError before anything is written. Does not catch KeyboardInterrupt.
    """
    config = single(request)
    for note in request.notes:
        say(note)
    folder = free_folder(request.cfg, "hydra.run.dir")
    require_files(config.data.path, config.data.split.files or {})
    from mtlrun.data.dataset import load_dataset

    load_dataset(config)  # errors of the table come before torch loads; `prepare` does not read it again
    from mtlrun.runs.single import prepare

    run = prepare(config)
    with to_be_resumed(folder):
        before = list(folder.iterdir()) if folder.is_dir() else []
        words = list(request.cfg.hydra.overrides.task)
        with claimed(folder, "hydra.run.dir"):
            hydra_folder.claim(folder, as_mapping(config), words, _hydra_yaml(request.cfg, folder))
        task = _Task(folder, config, run.train)
        with _wrong_settings_of_hydra(request.overrides, task, before):
            return _run_job(request, task)


@dataclass
class _Task:
    """The function that Hydra calls to train a run in its folder. Returns None, or the error in one line."""

    folder: Path
    config: Config
    train: Callable[[Path], Any]
    started: bool = False
    error: StorageError | OSError | None = None  # kept here: Hydra would catch it and print a line
    lines: list[str] = field(
        default_factory=list
    )  # logged if the run succeeds; made here, before hydra.job.chdir changes the folder

    def __post_init__(self) -> None:
        self.lines.append(f"results: {shown(self.folder)}")
        if self.config.trainer.tensorboard:
            self.lines.append(tensorboard_command(self.folder))

    def __call__(self, _: DictConfig) -> str | None:
        try:
            with disk(self.folder / LOG):
                _open_logs()
            self.started = True
            error = guarded(self.folder, self.config, lambda: self.train(self.folder))
        except (StorageError, OSError) as wrong:
            self.error = wrong
            return None
        for line in self.lines if error is None else ():
            log.info("%s", line)
        return error


def _open_logs() -> None:
    """Opens the log files, so that a wrong place is found before the training. Raises OSError."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler) and handler.stream is None:  # `delay` of conf/config.yaml
            handler.stream = handler._open()


def _run_job(request: Request, task: _Task) -> int:
    """Lets Hydra run the task. Returns the exit status."""
    callbacks = Callbacks(request.cfg)
    callbacks.on_run_start(config=request.cfg, config_name=ROOT)
    context = HydraContext(config_loader=request.loader, callbacks=callbacks)
    with at_work(task.folder), disk(task.folder / LOG):  # Hydra opens run.log
        job = run_job(task, request.cfg, job_dir_key="hydra.run.dir", job_subdir_key=None, hydra_context=context)
    if task.error is not None:
        raise task.error
    callbacks.on_run_end(config=request.cfg, config_name=ROOT, job_return=job)
    return 0 if job.return_value is None else say_failed(task.folder, job.return_value)


@contextlib.contextmanager
def _wrong_settings_of_hydra(overrides: Sequence[str], task: _Task, before: list[Path]) -> Iterator[None]:
    """Turns an error that Hydra raises before the task starts into a RequestError, because a hydra setting is wrong.

    Restores the claimed folder, which held the files `before`.
    """
    try:
        yield
    except (RequestError, StorageError):
        raise
    except Exception as error:
        if task.started:
            raise
        _give_back(task.folder, before)
        words = [word for word in overrides if word.lstrip("+~").startswith("hydra")]
        raise RequestError(
            f"{', '.join(words) or 'hydra'}: {in_one_line(error)[:200]}\n"
            "leave out what was set of hydra's own settings, or mend it"
        ) from error


def _give_back(folder: Path, before: list[Path]) -> None:
    """Restores a claimed folder, which held the files `before`."""
    shutil.rmtree(folder / HYDRA_FOLDER, ignore_errors=True)
    with contextlib.suppress(OSError):
        for name in (".lock", LOG):
            if folder / name not in before:
                (folder / name).unlink(missing_ok=True)
        if not before:
            folder.rmdir()


def _hydra_yaml(cfg: DictConfig, folder: Path) -> str:
    """The settings of Hydra as text, as Hydra writes them to hydra.yaml."""
    settings = OmegaConf.masked_copy(cfg, "hydra")
    with open_dict(settings):
        settings.hydra.runtime.output_dir = escaped(str(folder))
    return OmegaConf.to_yaml(settings)
