"""One run from a checked configuration: prepare, train, resume, load."""

import json
import logging
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mtlrun import predict
from mtlrun.build import Stack, build
from mtlrun.check import check
from mtlrun.config import Config, config_hash, plain
from mtlrun.data.dataset import load_dataset
from mtlrun.engine import checkpoint, train
from mtlrun.engine.hardware import set_up
from mtlrun.errors import RequestError, TrainingError
from mtlrun.results import environment
from mtlrun.results.files import write_json
from mtlrun.results.progress import Progress, results_table

log = logging.getLogger("mtlrun")
SCHEMA = 1
load = predict.load


@dataclass
class Run:
    """A run that is ready to train; nothing has been written yet."""

    config: Config
    stack: Stack

    def train(self, folder: Path, state: dict[str, Any] | None = None) -> dict[str, Any]:
        """Train into `folder` and return the summary. `state` is that of last.pt, to go on from it.

        Raises TrainingError where the run diverges and Interrupted after a signal; both stand in
        summary.json, as does any other exception, with its traceback in the log file.
        """
        set_up(self.config, self.stack.network.encoder.width)
        summary = self._summary()
        write_json(folder / "summary.json", summary)
        dataset = self.stack.datasets[0]
        for note in [*self.config.notes, *dataset.notes]:
            log.info(note)
        primary = {t: target.primary for t, target in dataset.targets.items()}
        try:
            running = train.Run(self.stack, folder, state, summary)
            progress = Progress(running.total, self.config.trainer.epochs, self.stack.network.tasks, primary)
            summary = running.train(progress)
        except TrainingError:
            raise
        except Exception as error:
            write_json(
                folder / "summary.json", summary | {"status": "failed", "error": f"{type(error).__name__}: {error}"}
            )
            raise
        types = {t: target.type for t, target in dataset.targets.items()}
        log.info(results_table(types, summary["figures"], summary["trivial"], primary))
        best = summary["best"]
        log.info(f"checkpoint of epoch {best['epoch']} (step {best['step']}), selected by {best['by']} on val; "
                 f"{summary['steps']} steps in {summary['seconds']:.1f} s")  # fmt: skip
        return summary

    def _summary(self) -> dict[str, Any]:
        """What is known before the first step."""
        trivial = {
            f"{split}/{task}/{metric}": value
            for split, figures in self.stack.trivial.items()
            for (task, metric), value in figures[0].items()
        }
        return {
            "schema": SCHEMA, "status": "running", "error": None, "seed": self.config.seed,
            "settings": plain(self.config), "config_hash": config_hash(self.config),
            "data_hash": self.stack.datasets[0].hash, "versions": environment.versions(),
            "hardware": environment.hardware(self.stack.device), "git": environment.git(),
            "stack": {"id": 0, "size": 1}, "steps": 0, "best": None, "figures": {}, "trivial": trivial,
            "seconds": 0.0, "memory": 0,
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
    summary = read_summary(folder)
    if summary.get("status") == "completed":
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


def read_summary(folder: Path) -> dict[str, Any]:
    """summary.json of a run's folder, {} where there is none. Raises RequestError for a newer schema."""
    try:
        summary: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError:
        raise RequestError(f"{folder / 'summary.json'}: not readable as JSON") from None
    if summary.get("schema", 0) > SCHEMA:
        raise RequestError(
            f"{folder}: schema {summary['schema']}, this mtlrun reads up to {SCHEMA}\nuse a newer mtlrun"
        )
    return summary


def failure_text(error: BaseException) -> str:
    """The traceback of an error, for the run's own log file."""
    return "".join(traceback.format_exception(error))
