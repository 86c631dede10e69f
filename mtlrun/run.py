"""One run from a checked configuration: prepare, train, resume, load."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mtlrun import predict
from mtlrun.build import build
from mtlrun.check import check
from mtlrun.config import Config, config_hash, plain
from mtlrun.data.dataset import load_dataset
from mtlrun.engine import checkpoint, train
from mtlrun.engine.hardware import set_up
from mtlrun.engine.stack import Stack
from mtlrun.errors import RequestError
from mtlrun.results import environment
from mtlrun.results.files import write_json
from mtlrun.results.progress import Progress, results_table
from mtlrun.results.summary import EMPTY, FILE, read

log = logging.getLogger("mtlrun")
load = predict.load


@dataclass
class Run:
    """A run that is ready to train; nothing has been written yet."""

    config: Config
    stack: Stack

    def train(self, folder: Path, state: dict[str, Any] | None = None) -> dict[str, Any]:
        """Train into `folder` and return the summary. `state` is that of last.pt, to go on from it.

        Raises TrainingError where the run diverges and Interrupted after a signal; both stand in summary.json.
        """
        set_up(self.config, self.stack.network.encoder.width)
        summary = self._summary()
        write_json(folder / FILE, summary)
        dataset = self.stack.datasets[0]
        for note in [*self.config.notes, *dataset.notes]:
            log.info(note)
        primary = {t: target.primary for t, target in dataset.targets.items()}
        running = train.Run(self.stack, folder, state, summary)
        progress = Progress(running.total, self.config.trainer.epochs, self.stack.network.tasks, primary)
        summary = running.train(progress)
        types = {t: target.type for t, target in dataset.targets.items()}
        log.info(results_table(types, summary["figures"], summary["trivial"], primary))
        best = summary["best"]
        log.info(f"checkpoint of epoch {best['epoch']} (step {best['step']}), selected by {best['by']} on val; "
                 f"{summary['steps']} steps in {summary['seconds']:.1f} s")  # fmt: skip
        if best["step"] == summary["steps"]:
            log.info("val was best at the last evaluation: more training may help (trainer.epochs)")
        return summary

    def _summary(self) -> dict[str, Any]:
        """What is known before the first step."""
        trivial = {
            f"{split}/{task}/{metric}": value
            for split, figures in self.stack.trivial.items()
            for (task, metric), value in figures[0].items()
        }
        return EMPTY | {
            "status": "running", "seed": self.config.seed,
            "settings": plain(self.config), "config_hash": config_hash(self.config),
            "data_hash": self.stack.datasets[0].hash, "versions": environment.versions(),
            "hardware": environment.hardware(self.stack.device), "git": environment.git(), "trivial": trivial,
        }  # fmt: skip


def prepare(config: Config) -> Run:
    """Load the data and build everything. Raises RequestError; writes nothing."""
    dataset = load_dataset(config)
    return Run(config, build([config], [dataset]))


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
    last = folder / "checkpoints" / "last.pt"
    state = checkpoint.load(last) if last.exists() else None
    run = prepare(config)
    if state is not None and state["data_hash"] != run.stack.datasets[0].hash:
        raise RequestError(f"data.path: {config.data.path} has changed since this run began\n"
                           "restore the file, or train anew in another folder")  # fmt: skip
    log.info(f"resumed at step {state['step']}" if state else "resumed from the beginning: there was no checkpoint yet")
    return run.train(folder, state)
