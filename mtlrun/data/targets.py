"""The targets of a run: the labels of each task in all rows, with loss, primary metric and class weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mtlrun.config.schema import TaskConfig
from mtlrun.data.doubts import no_classes, one_class_twice
from mtlrun.data.encoding import Encoding, class_index, encode
from mtlrun.data.labels import RunTable, label_source, observed_labels, raw_labels, training_labels
from mtlrun.tasks import type_of
from mtlrun.util.errors import RequestError, listing, nearest


@dataclass(frozen=True)
class Target:
    """The labels of a task in all N rows of the table.

    column: the column of the labels; None for an expression, a reconstruction or a task without labels.
    classes: sorted; [negative, positive] for a binary task; 1, 2, … for bins, lowest first.
    values: float64 [N], numbers or indices into `classes`; 0 if not observed. All 0 for a reconstruction, whose labels
        are the inputs, and for a task without labels.
    observed: bool [N], whether the row has a label that the settings of the task keep.
    class_weights: in the order of `classes`.
    """

    task: str
    column: str | None
    type: str
    loss: str
    primary: str
    classes: list[Any]
    values: np.ndarray
    observed: np.ndarray
    class_weights: list[float] | Literal["balanced"] | None

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """The observed labels in `rows` [n]: class indices or numbers."""
        values = self.values[rows][self.observed[rows]]
        return values.astype(np.int64) if self.classes else values


def make_target(name: str, run: RunTable) -> Target:
    """The target of the task `name`. Raises RequestError if labels, split and settings do not fit together."""
    task, key, table = run.config.tasks[name], f"tasks.{name}", run.table
    column = (task.target or name) if task.has_column else None
    settings = ("target", name, column, task.expression, str(task.bins), task.type, task.where, repr(task.positive))
    observed, labels = observed_labels(name, task, table), raw_labels(name, task, table)
    encoding = table.remember(settings, lambda: encode(name, task, labels, observed))
    type_, classes = encoding.type, encoding.classes
    if task.smooth is not None and not type_of(type_).averages:
        raise RequestError(
            f"{key}.smooth: means of numbers, and the task is {type_}\nset {key}.type=regression, or '~{key}.smooth'"
        )
    values, observed = training_labels(name, run, encoding.values, observed)
    loss, primary = _loss_and_primary(task, type_, key)
    _require_training_labels(name, run, Encoding(type_, classes, values), observed)
    weights = _class_weights(task.class_weights, type_, classes, f"{key}.class_weights")
    return Target(name, column, type_, loss, primary, classes, values, observed, weights)


def _loss_and_primary(task: TaskConfig, type_: str, key: str) -> tuple[str, str]:
    """The loss and the primary metric of a task. Raises RequestError for a loss, metric or unit that does not fit."""
    declared = type_of(type_)
    if task.unit is not None and not declared.has_numbers:
        raise RequestError(f"{key}.unit: found {task.unit!r}, and the task is {type_}\nallowed: null")
    loss, primary = task.loss or declared.default_loss, task.primary or declared.primary
    if loss not in declared.losses:
        raise RequestError(f"{key}.loss: {loss} does not fit {type_}\nallowed: {listing(declared.losses)}")
    if primary not in declared.metrics:
        raise RequestError(
            f"{key}.primary: {primary} is no metric of {type_}{nearest(primary, declared.metrics)}\n"
            f"allowed: {listing(declared.metrics)}"
        )
    return loss, primary


def _require_training_labels(name: str, run: RunTable, labels: Encoding, observed: np.ndarray) -> None:
    """Raises RequestError unless the training rows with weight above 0 have at least two different labels."""
    task, key = run.config.tasks[name], f"tasks.{name}"
    counted, train = run.counted(observed), run.split.train
    learnt = labels.values[train][counted[train]]
    if not len(learnt):
        having = "a label" if run.weight is None else "a label and a weight above 0"
        where = f"{having} in {label_source(name, task)!r}" if task.has_labels else having
        raise RequestError(
            f"{key}: no row of train has {where}, in all {int(counted.sum())} have\n"
            "change data.split or `where`, or leave the task out"
        )
    if task.has_labels and learnt.min() == learnt.max():
        only = repr(labels.classes[int(learnt[0])]) if labels.classes else f"{learnt[0]:g}"
        raise RequestError(
            f"{key}: all {len(learnt)} labels of train are {only}\n"
            "allowed: two values or more; change data.split or `where`, or leave it out"
        )


def _class_weights(given: Any, type_: str, classes: list[Any], key: str) -> list[float] | Literal["balanced"] | None:
    if given is None:
        return None
    if not classes:
        raise RequestError(f"{key}: the task is a {type_}\nallowed: null")
    if given == "balanced":
        return "balanced"
    if not isinstance(given, Mapping):
        raise RequestError(f"{key}: found {given!r}\nallowed: balanced, or {{CLASS: WEIGHT}}: {{{classes[0]}: 2}}")
    weights = [1.0] * len(classes)
    for name, weight in given.items():
        index = class_index(name, classes, f"{key}.{name}")
        try:
            weights[index] = float(weight) if not isinstance(weight, bool) else math.nan
        except (TypeError, ValueError, OverflowError):
            weights[index] = math.nan
        if not (math.isfinite(weights[index]) and weights[index] >= 0):
            raise RequestError(f"{key}.{name}: found {weight!r}\nallowed: a number from 0")
    if not any(weights):
        raise RequestError(f"{key}: every class has weight 0\nallowed: at least one weight above 0")
    return weights


def target_notes(target: Target) -> list[str]:
    """Doubts about the classes of a target, one line each."""
    notes = one_class_twice(target.classes)
    if type_of(target.type).has_many_classes:
        labels = target.values[target.observed].astype(np.int64)
        doubt = no_classes(target.classes, np.bincount(labels, minlength=len(target.classes)))
        notes = [doubt, *notes] if doubt else notes
    return [f"{target.task}: {note}" for note in notes]
