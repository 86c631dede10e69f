"""Trains for a Python program: silently, without traces in the process or on disk."""

import contextlib
import logging
import os
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from hydra.core.global_hydra import GlobalHydra
from sklearn.exceptions import ConvergenceWarning

from mtlrun.api.training_table import TrainingTable
from mtlrun.compose import compose, single
from mtlrun.config.schema import as_mapping
from mtlrun.data.inspect import inspect
from mtlrun.data.table import forgetting
from mtlrun.runs.single import prepare
from mtlrun.storage import hydra_folder
from mtlrun.storage.training_end import closing_words, training_end
from mtlrun.util.errors import RequestError

RUN = "run"
_ONE_AT_A_TIME = threading.Lock()
QUIET = "trainer.tensorboard=false"
DEFAULTS = ("data.split.train=0.85", "data.split.test=0", QUIET)  # of a fit


@contextmanager
def workplace(table: TrainingTable, verbose: bool = False) -> Iterator[tuple[Path, list[str]]]:
    """A temporary folder that is removed at the end; gives it, and the words that name the table in it.

    Meanwhile nothing is printed unless `verbose`. Only one thread is in this context at a time, because it changes what
    the threads of a process share: stdout, and settings of Hydra, torch and logging. They are as before afterwards. A
    wrong request is a ValueError, as scikit-learn expects.
    """
    with (
        _ONE_AT_A_TIME,
        tempfile.TemporaryDirectory(prefix="mtlrun-") as name,
        _as_before(),
        _loud() if verbose else _silent(),
        _value_errors(),
    ):
        folder = Path(name).resolve()
        yield folder, table.words(table.write(folder))


def train_run(words: Sequence[str], folder: Path) -> None:
    """Trains one run into `folder` as `mtlrun WORDS` does. Raises RequestError, TrainingError and StorageError.

    Warns of what `mtlrun check` warns of, and as ConvergenceWarning of a training that did not go well.
    """
    config = single(compose(words))
    run = prepare(config)
    for line in inspect(config, run.stack.datasets[0]):
        warnings.warn(line, UserWarning, stacklevel=3)
    hydra_folder.write(folder, as_mapping(config), words)
    summary = run.train(folder)
    for line in closing_words(training_end(folder, summary), summary):
        warnings.warn(line, ConvergenceWarning, stacklevel=3)


@contextmanager
def _value_errors() -> Iterator[None]:
    try:
        yield
    except RequestError as error:
        raise ValueError(str(error)) from error


@contextmanager
def _as_before() -> Iterator[None]:
    """Restores afterwards what training changes in the process, and forgets the tables that it has loaded."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    anomaly, hydra = torch.is_anomaly_enabled(), GlobalHydra.instance().hydra
    try:
        with forgetting():
            yield
    finally:
        GlobalHydra.instance().hydra = hydra  # of an application that is run by Hydra itself
        torch.set_num_threads(threads)
        if torch.are_deterministic_algorithms_enabled() != deterministic:
            torch.use_deterministic_algorithms(deterministic)
        torch.autograd.set_detect_anomaly(anomaly)


@contextmanager
def _silent() -> Iterator[None]:
    log = logging.getLogger("mtlrun")
    before = log.disabled
    log.disabled = True
    try:
        with open(os.devnull, "w") as none, contextlib.redirect_stdout(none):
            yield
    finally:
        log.disabled = before


@contextmanager
def _loud() -> Iterator[None]:
    """Lines of the log go to stdout, as those of a command do."""
    log, handler = logging.getLogger("mtlrun"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
