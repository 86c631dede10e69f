"""A single run: prepare, train, resume."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtlrun.config.check import check_stored
from mtlrun.config.extensions import require
from mtlrun.config.schema import Config
from mtlrun.config.stages import PRETRAIN, first_stage
from mtlrun.data.dataset import load_dataset
from mtlrun.engine import checkpoint
from mtlrun.engine.checkpoint import BEGIN_ANEW
from mtlrun.engine.stack import Stack
from mtlrun.runs.build import build_stack
from mtlrun.runs.initial_summary import initial_summaries
from mtlrun.runs.reporting import Console, State
from mtlrun.runs.stack_of_runs import StackOfRuns
from mtlrun.runs.stack_training import Built, train_stack
from mtlrun.runs.transfer import Start, from_state, saved_length, start_of
from mtlrun.storage import hydra_folder
from mtlrun.storage.files import write_json
from mtlrun.storage.names import LAST, SUMMARY
from mtlrun.storage.summary import read, status_of
from mtlrun.util.errors import RequestError, TrainingError

log = logging.getLogger("mtlrun")


@dataclass
class PreparedRun:
    """One run that is ready to train. Nothing is written yet.

    start: the trunk of another run, if the run begins with it
    first: the first stage, which trains the trunk, if there is one
    """

    config: Config
    stack: Stack
    start: Start | None = None
    first: "PreparedRun | None" = None

    def train(self, folder: Path, state: State | None = None) -> dict[str, Any]:
        """Trains into `folder` and returns the summary. Continues from `state`, the content of last.pt, if given.

        Raises TrainingError if the run fails and Interrupted after a signal; summary.json records both.
        """
        built: Built | None = Built(self.stack, [self.start])
        if self.first is not None:
            built = None  # built again after the first stage, which trains the trunk
            if state is None:
                write_json(folder / SUMMARY, initial_summaries(self.stack)[0])
        runs = StackOfRuns([self.config], self.stack.datasets, [folder], folder / LAST, retry=True)
        (summary,) = train_stack(runs, Console(), state, built)
        if summary["status"] == "failed":
            raise TrainingError(summary["error"])
        return summary


def prepare(config: Config, state: State | None = None) -> PreparedRun:
    """Loads the data and builds the run, both stages if there are two. Writes nothing.

    state: the content of last.pt, to continue from it; then the run that the trunk came from is not read
    Raises RequestError if the request cannot be met.
    """
    dataset = load_dataset(config)
    if state is not None:
        with checkpoint.read_from(LAST, BEGIN_ANEW):
            return PreparedRun(config, build_stack([config], [dataset], from_state(state), saved_length(state)))
    start, first = start_of(config, dataset.spec), first_stage(config)
    stack = build_stack([config], [dataset], [start])
    return PreparedRun(config, stack, start, None if first is None else prepare(first))


def resume(folder: Path) -> dict[str, Any]:
    """Resumes an interrupted run from its last.pt, or from step 0 if it has none. Returns its summary.

    Raises RequestError if `folder` holds no run, or if the data or the schema changed.
    """
    settings = hydra_folder.read_config(folder)
    if settings is None:
        raise RequestError(f"{folder}: holds no run (.hydra/config.yaml)\nallowed: the folder of a run")
    summary = read(folder)
    if summary is not None and status_of(folder) == "completed":
        log.info(f"{folder}: this run is completed, nothing is left to do")
        return summary
    require((summary or {}).get("packages"))
    config = check_stored(settings)
    state = StackOfRuns([config], [load_dataset(config)], [folder], folder / LAST).saved_state()
    run = prepare(config, state)
    if config.boosting:
        log.info("resumed from the beginning: model=boosting saves nothing on the way")
    elif state is not None:
        log.info(f"resumed at step {state['step']}")
    elif run.first is None or not (folder / PRETRAIN / SUMMARY).exists():
        log.info("resumed from the beginning: there was no checkpoint yet")
    return run.train(folder, state)
