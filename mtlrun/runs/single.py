"""A run on its own: prepare, train, resume."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtlrun.config.check import check
from mtlrun.config.extensions import require
from mtlrun.config.schema import Config
from mtlrun.config.stages import PRETRAIN, first_stage
from mtlrun.data.dataset import load_dataset
from mtlrun.engine import checkpoint
from mtlrun.engine.checkpoint import BEGIN_ANEW
from mtlrun.engine.stack import Stack
from mtlrun.results import hydra_folder
from mtlrun.results.files import write_json
from mtlrun.results.summary import FILE, read, status_of
from mtlrun.runs.build import build_stack
from mtlrun.runs.initial_summary import initial_summaries
from mtlrun.runs.reporting import Console, State
from mtlrun.runs.stack_of_runs import LAST, StackOfRuns
from mtlrun.runs.stack_training import Built, train_stack
from mtlrun.runs.transfer import Start, from_state, start_of
from mtlrun.util.errors import RequestError, TrainingError

log = logging.getLogger("mtlrun")


@dataclass
class PreparedRun:
    """One run that is ready to train; nothing has been written yet.

    start: what its trunk begins with, where that is another run's; first: the stage that trains the trunk before
    """

    config: Config
    stack: Stack
    start: Start | None = None
    first: "PreparedRun | None" = None

    def train(self, folder: Path, state: State | None = None) -> dict[str, Any]:
        """Trains into `folder` and returns the summary. `state` is that of last.pt, to go on from it.

        Raises TrainingError where the run diverges and Interrupted after a signal; both stand in summary.json.
        """
        built: Built | None = Built(self.stack, [self.start])
        if self.first is not None:
            built = None  # the first stage trains its trunk
            if state is None:
                write_json(folder / FILE, initial_summaries(self.stack)[0])
        runs = StackOfRuns([self.config], self.stack.datasets, [folder], folder / LAST, retry=True)
        (summary,) = train_stack(runs, Console(), state, built)
        if summary["status"] == "failed":
            raise TrainingError(summary["error"])
        return summary


def prepare(config: Config, state: State | None = None) -> PreparedRun:
    """Loads the data and builds everything, both stages where there are two. Raises RequestError; writes nothing.

    `state` is that of last.pt, to go on from it: then nothing is read from the run that the trunk came from.
    """
    dataset = load_dataset(config)
    if state is not None:
        with checkpoint.read_from(LAST, BEGIN_ANEW):
            return PreparedRun(config, build_stack([config], [dataset], from_state(state)))
    start, first = start_of(config, dataset.spec), first_stage(config)
    stack = build_stack([config], [dataset], [start])
    return PreparedRun(config, stack, start, None if first is None else prepare(first))


def resume(folder: Path) -> dict[str, Any]:
    """Goes on with an interrupted run from its last.pt, or from its beginning where it has none; its summary.

    Raises RequestError where `folder` holds no run, or where the data or the schema changed.
    """
    settings = hydra_folder.read_config(folder)
    if settings is None:
        raise RequestError(f"{folder}: holds no run (.hydra/config.yaml)\nallowed: the folder of a run")
    summary = read(folder)
    if summary is not None and status_of(folder) == "completed":
        log.info(f"{folder}: this run is completed, nothing is left to do")
        return summary
    require((summary or {}).get("packages"))
    config = check(settings)
    state = StackOfRuns([config], [load_dataset(config)], [folder], folder / LAST).saved_state()
    run = prepare(config, state)
    if config.boosting:
        log.info("resumed from the beginning: model=boosting saves nothing on the way")
    elif state is not None:
        log.info(f"resumed at step {state['step']}")
    elif run.first is None or not (folder / PRETRAIN / FILE).exists():
        log.info("resumed from the beginning: there was no checkpoint yet")
    return run.train(folder, state)
