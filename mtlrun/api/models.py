"""Loads the model in a folder: of a run, or the ensemble of the runs of one setting of a sweep. Imports torch."""

from collections.abc import Sequence
from pathlib import Path

from mtlrun.compare.collect.members import members_in
from mtlrun.runs import predictor
from mtlrun.runs.ensemble import load_ensemble
from mtlrun.runs.predictor import Predictor


def load(folder: str | Path, tasks: Sequence[str] | None = None, setting: str = "") -> Predictor:
    """Loads the model of a run, or the mean of the completed runs of one setting of a sweep, on the CPU.

    tasks: the tasks to predict; None: the main tasks
    setting: of a sweep with several settings the one to load: its label in `mtlrun compare`, or some of its settings,
        as in "loss=sum lr=single"

    Fits model=boosting again. Raises RequestError if there is no such model, task or setting, if the runs do not agree
    on types, classes and columns, or if the trees do not come out as they were.
    """
    members = members_in(Path(folder), setting)
    if members.words:
        return load_ensemble(members.folders, tasks, members.words)
    return predictor.load(folder, tasks)
