"""Runs from checked configurations: prepare, train, resume, load."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from mtlrun import predict
from mtlrun.build import build
from mtlrun.check import check
from mtlrun.config import Config, config_hash, plain
from mtlrun.data.dataset import Dataset, load_dataset
from mtlrun.engine import checkpoint
from mtlrun.engine.boosting import Boosting, run_notes
from mtlrun.engine.hardware import set_up
from mtlrun.engine.stack import Stack
from mtlrun.engine.train import Member, Training
from mtlrun.errors import RequestError, TrainingError
from mtlrun.results import environment
from mtlrun.results.files import write_json
from mtlrun.results.progress import Progress, closing_lines
from mtlrun.results.summary import EMPTY, ENDED, FILE, read

log = logging.getLogger("mtlrun")
load = predict.load
LAST = Path("checkpoints") / "last.pt"


@dataclass
class Run:
    """One run that is ready to train; nothing has been written yet."""

    config: Config
    stack: Stack

    def train(self, folder: Path, state: dict[str, Any] | None = None) -> dict[str, Any]:
        """Train into `folder` and return the summary. `state` is that of last.pt, to go on from it.

        Raises TrainingError where the run diverges and Interrupted after a signal; both stand in summary.json.
        """
        summary = _beginning(self.stack)[0]
        write_json(folder / FILE, summary)
        dataset = self.stack.datasets[0]
        for note in run_notes(self.config, dataset):
            log.info(note)
        training: Training | Boosting
        if self.config.boosting:
            training = Boosting(self.stack, folder, summary)
        else:
            training = Training(self.stack, [folder], [summary], folder / LAST, state, log.info)
        summary = training.train(Progress(training.total, self.stack.network.tasks))[0]
        if summary["status"] == "failed":
            raise TrainingError(summary["error"])
        for line in _closing(dataset, summary):
            log.info(line)
        return summary


def prepare(config: Config) -> Run:
    """Load the data and build everything. Raises RequestError; writes nothing."""
    return Run(config, build([config], [load_dataset(config)]))


def train_stack(configs: Sequence[Config], datasets: Sequence[Dataset], folders: Sequence[Path], checkpoint_path: Path,
                number: int, progress: Callable[[int, Sequence[str]], Progress],
                ended: Callable[[list[Member]], None]) -> None:  # fmt: skip
    """Train runs side by side as stack `number` of a sweep, into their folders.

    Goes on from `checkpoint_path` if it is there. Runs that are completed or failed already keep their place in the
    stack, so that the others keep their bits, and nothing else. `progress` makes the display from the number of
    steps and the tasks; `ended` is called with runs that have just ended. Raises Interrupted after a signal.
    """
    stack = build(configs, datasets)
    state = checkpoint.load(checkpoint_path) if checkpoint_path.exists() else None
    _require_same_data(state, configs[0], datasets[0])
    summaries = []
    for folder, summary in zip(folders, _beginning(stack), strict=True):
        known = read(folder)
        if known is not None and known["status"] in ENDED:
            summary = known
        else:
            summary["stack"] = {"id": number, "size": len(configs)}
            write_json(folder / FILE, summary)
        summaries.append(summary)

    def close(members: list[Member]) -> None:
        for member in members:
            assert member.writer is not None, "it ended just now"
            done = member.summary["status"] == "completed"
            lines = _closing(member.dataset, member.summary) if done else [f"failed: {member.summary['error']}"]
            member.writer.log(lines)
        ended(members)

    training: Training | Boosting
    if configs[0].boosting:  # alone, see stacks.py
        training, state = Boosting(stack, folders[0], summaries[0], close), None
    else:
        training = Training(stack, folders, summaries, checkpoint_path, state, None, close)
    resumed = f"resumed at step {state['step']}" if state else f"one of {len(configs)} runs of stack {number}"
    for member in training.running:
        assert member.writer is not None, "it has not ended"
        member.writer.log([resumed, *run_notes(member.config, member.dataset)])
    training.train(progress(training.total, stack.network.tasks))


def rehearse(configs: Sequence[Config], datasets: Sequence[Dataset], folders: Sequence[Path]) -> float:
    """About how many seconds a stack takes to its last step, from a few steps, one evaluation and one end of each run,
    which go into `folders`. Nothing of it is of use for training."""
    if configs[0].boosting:
        return _rehearse_boosting(configs[0], datasets[0], folders[0])
    began = time.monotonic()
    stack = build(configs, datasets)
    training = Training(stack, folders, _beginning(stack), folders[0] / LAST)
    built = time.monotonic() - began
    return built + training.rehearse()


def _rehearse_boosting(config: Config, dataset: Dataset, folder: Path) -> float:
    """The same for a run of model=boosting, from one of 2 iterations and one of 8, after one that warms up."""
    assert config.boosting is not None, "rehearse() has looked"
    seconds = {}
    for iterations in (1, 2, 8):
        began = time.monotonic()
        stack = build([replace(config, model=replace(config.boosting, iterations=iterations))], [dataset])
        Boosting(stack, folder / str(iterations), _beginning(stack)[0]).train(Progress(iterations, stack.network.tasks))
        seconds[iterations] = time.monotonic() - began
    each = max(0.0, seconds[8] - seconds[2]) / 6
    return seconds[2] + each * (config.boosting.iterations - 2)


def resume(folder: Path) -> dict[str, Any]:
    """Go on with an interrupted run from its last.pt, or from its beginning where it has none.

    Raises RequestError where `folder` holds no run, or where the data or the schema changed.
    """
    path = folder / ".hydra" / "config.yaml"
    if not path.exists():
        raise RequestError(f"{folder}: holds no run (.hydra/config.yaml)\nallowed: the folder of a run")
    summary = read(folder)
    if summary is not None and summary["status"] == "completed":
        log.info(f"{folder}: this run is completed, nothing is left to do")
        return summary
    config = check(yaml.safe_load(path.read_text(encoding="utf-8")))
    state = checkpoint.load(folder / LAST) if (folder / LAST).exists() else None
    run = prepare(config)
    _require_same_data(state, config, run.stack.datasets[0])
    if config.boosting:
        log.info("resumed from the beginning: model=boosting saves nothing on the way")
    else:
        log.info(f"resumed at step {state['step']}" if state else "resumed from the beginning: "
                 "there was no checkpoint yet")  # fmt: skip
    return run.train(folder, state)


def _require_same_data(state: dict[str, Any] | None, config: Config, dataset: Dataset) -> None:
    """Raises RequestError if the table is not the one that a checkpoint was written with."""
    if state is not None and state["data_hash"] != dataset.hash:
        raise RequestError(f"data.path: {config.data.path} has changed since this run began\n"
                           "restore the file, or train anew in another folder")  # fmt: skip


def _beginning(stack: Stack) -> list[dict[str, Any]]:
    """What is known of each run before the first step; sets up threads and allocator for it."""
    set_up(stack.configs[0], stack.network.encoder.width)
    versions, hardware, git = environment.versions(), environment.hardware(stack.device), environment.git()
    parameters = None if stack.configs[0].boosting else stack.network.parameter_count()
    summaries = []
    for r, (config, dataset) in enumerate(zip(stack.configs, stack.datasets, strict=True)):
        trivial = {
            f"{split}/{task}/{metric}": value
            for split, figures in stack.trivial.items()
            for (task, metric), value in figures[r].items()
        }
        rows = {"table": len(dataset.codes)} | {p: len(members) for p, members in dataset.split.parts().items()}
        summaries.append(EMPTY | {
            "status": "running", "seed": config.seed, "settings": plain(config), "config_hash": config_hash(config),
            "data_hash": dataset.hash, "versions": versions, "hardware": hardware, "git": git, "trivial": trivial,
            "rows": rows, "parameters": parameters,
        })  # fmt: skip
    return summaries


def _closing(dataset: Dataset, summary: dict[str, Any]) -> list[str]:
    types = {t: target.type for t, target in dataset.targets.items()}
    return closing_lines(summary, types, {t: target.primary for t, target in dataset.targets.items()})
