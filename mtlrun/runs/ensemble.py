"""The ensemble of several trained runs of one setting: the mean of their predictions.

Averaging networks that differ in their seeds lowers the error without further training (Hansen & Salamon 1990;
Lakshminarayanan, Pritzel & Blundell, NeurIPS 2017, who average probabilities as is done here).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtlrun.runs import new_rows
from mtlrun.runs.new_rows import Trained
from mtlrun.runs.predicted_tasks import leaving, predictable
from mtlrun.runs.prediction_columns import columns_of, interval_columns
from mtlrun.runs.predictor import Predictor, from_tree, selected
from mtlrun.statistics import Residuals
from mtlrun.util.errors import RequestError, listing, nearest

SPREAD = "[std]"  # ending of the column with the spread of a number over the members


class Ensemble(Predictor):
    """Predicts the mean over its members: of probabilities, and of numbers in the unit of the target.

    The class of a row is the most probable one by the mean probabilities. A member counts for the tasks that it
    predicts: an ensemble of single-task nets has several members for each task.

    members: the models of the runs, which agree on types, classes and columns; names: of their runs, for messages
    """

    def __init__(self, members: Sequence[Predictor], names: Sequence[str], note: str = "") -> None:
        _require_alike(members, names)
        tasks = list(dict.fromkeys(task for member in members for task in member.tasks))
        self._of_task = {task: [m for m in members if task in m.tasks] for task in tasks}
        firsts = {task: own[0] for task, own in self._of_task.items()}
        classes = {task: first.classes[task] for task, first in firsts.items()}
        units = {task: first.units[task] for task, first in firsts.items()}
        first = members[0]
        super().__init__(first.config, first.spec, classes, units, tasks, first.reading)
        self._members, self.names = list(members), list(names)
        self.note = "\n".join(dict.fromkeys(text for text in (note, *(m.note for m in members)) if text))

    @property
    def members(self) -> list[Predictor]:
        return self._members

    def task_type(self, task: str) -> Any:
        return self._of_task[task][0].task_type(task)

    @property
    def trained(self) -> list[Trained]:
        return new_rows.of_members([member.trained for member in self.members])

    def residuals(self, task: str) -> list[Residuals]:
        every = [member.residuals(task) for member in self._of_task[task]]
        return [own for of_member in every for own in of_member] if all(every) else []

    def covered(self, task: str, level: float) -> list[float]:
        return [share for member in self._of_task[task] for share in member.covered(task, level)]

    def predict(self, frame: pd.DataFrame | str | Path, interval: float | None = None) -> pd.DataFrame:
        """As `Predictor.predict`. A number with several members also has a column TASK[std].

        It holds the standard deviation of the members' numbers for each row. Intervals have the mean width of the
        members' intervals.
        """
        widths = {} if interval is None else self.half_widths(interval)
        if isinstance(frame, (str, Path)):
            frame = self.read(str(frame))
        columns: dict[str, Any] = {}
        for task, (mean, spread) in self._moments(*self._encoded(frame)).items():
            columns |= columns_of(task, mean, self.classes[task])
            if not self.classes[task] and spread is not None:
                columns[f"{task}{SPREAD}"] = spread
            if task in widths:
                columns |= interval_columns(task, mean, widths[task], self.residuals(task)[0])
        return pd.DataFrame(columns, index=frame.index)

    def predicted(self, numeric: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
        return {task: mean for task, (mean, _) in self._moments(numeric, codes).items()}

    def _moments(self, numeric: np.ndarray, codes: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
        """By task the mean of the members' predictions, and their standard deviation, None for a single member.

        One member predicts after the other, so that only sums are kept (Welford 1962).
        """
        means = {task: np.zeros(0) for task in self.tasks}
        squares, counts = dict(means), dict.fromkeys(self.tasks, 0)
        for member in self.members:
            for task, values in member.predicted(numeric, codes).items():
                counts[task] += 1
                if counts[task] == 1:
                    means[task], squares[task] = values.astype(np.float64), np.zeros(values.shape)
                    continue
                change = values - means[task]
                means[task] += change / counts[task]
                squares[task] += change * (values - means[task])
        return {
            task: (means[task], np.sqrt(squares[task] / (counts[task] - 1)) if counts[task] > 1 else None)
            for task in self.tasks
        }


def load_ensemble(folders: Sequence[Path], tasks: Sequence[str] | None = None, note: str = "") -> Ensemble:
    """Loads the ensemble of the runs in `folders`, at least one, for the main tasks or `tasks`.

    note: a line on the members. Raises RequestError as `predictor.load` does, and if the runs do not agree.
    """
    known = [selected(folder) for folder in folders]
    wanted = _tasks_of_members([predictable(config) for config, _ in known], tasks)
    members = {
        folder.name: from_tree(folder, config, tree, leaving(config, own))
        for folder, (config, tree), own in zip(folders, known, wanted, strict=True)
        if own is None or own
    }
    return Ensemble([*members.values()], [*members], note)


def _tasks_of_members(known: Sequence[Sequence[str]], tasks: Sequence[str] | None) -> list[list[str] | None]:
    """The tasks of each member, given those that it can predict; None: its main tasks."""
    if tasks is None:
        return [None for _ in known]
    every = list(dict.fromkeys(task for own in known for task in own))
    for task in tasks:
        if task not in every:
            raise RequestError(
                f"--tasks: {task}: no member predicts it{nearest(task, every)}\nallowed: {listing(every)}"
            )
    if not tasks or len(set(tasks)) < len(tasks):
        raise RequestError(f"--tasks: found {listing(tasks)}\nallowed: each of {listing(every)} once")
    return [[task for task in tasks if task in own] for own in known]


def _require_alike(members: Sequence[Predictor], names: Sequence[str]) -> None:
    """Raises RequestError unless the members agree on the types and classes of tasks, and on how columns are read."""
    first: dict[str, tuple[str, object, object]] = {}  # what -> run, value, value in words
    for member, name in zip(members, names, strict=True):
        facts: dict[str, tuple[object, object]] = {}
        for task in member.tasks:
            kind = member.task_type(task).__name__.lower()
            facts[f"the type of {task}"] = kind, kind
            facts[f"the classes of {task}"] = member.classes[task], listing(member.classes[task], 5)
        facts["the inputs"] = member.spec, listing((column.name for column in member.spec.inputs), 5)
        facts["how columns are read"] = member.reading, "its own way"
        facts["data.separator"] = member.config.data.separator, member.config.data.separator
        for what, (value, words) in facts.items():
            run, known, known_words = first.setdefault(what, (name, value, words))
            if known != value:
                raise RequestError(
                    f"the members of the ensemble differ in {what}: {known_words} in {run}, {words} in {name}\n"
                    "allowed: runs of one setting on one table"
                )
