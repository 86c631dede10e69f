"""Task types as the data know them, and how a column becomes the labels of a task."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from mtlrun.config import Config, TaskConfig
from mtlrun.data.columns import NUMERIC_SHARE, finite_numbers, numeric_share
from mtlrun.data.labels import observed_labels, training_labels
from mtlrun.data.split import Split
from mtlrun.data.table import Table, as_numbers, as_texts, column_kind
from mtlrun.errors import RequestError, listing, nearest

TaskType = Literal["regression", "binary", "categorical", "reconstruction", "objective"]
# The metrics of each task type and which way they are better, the primary one, the losses (default first).
TASK_METRICS: dict[str, dict[str, Literal["min", "max"]]] = {
    "regression": {"mse": "min", "rmse": "min", "mae": "min", "r2": "max"},
    "binary": {"accuracy": "max", "auroc": "max", "auprc": "max", "logloss": "min"},
    "categorical": {"accuracy": "max", "logloss": "min"},
    "reconstruction": {"mse": "min", "r2": "max"},
    "objective": {"value": "min"},
}
PRIMARY = {
    "regression": "rmse", "binary": "auroc", "categorical": "accuracy", "reconstruction": "mse", "objective": "value",
}  # fmt: skip
MANY_CLASSES = 20  # more than this, in more than half as many labels, are hardly classes
LOSSES = {
    "regression": ("mse", "l1", "huber"), "binary": ("cross_entropy",), "categorical": ("cross_entropy",),
    "reconstruction": ("mse",), "objective": ("value",),
}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A task's labels over all rows of the table.

    `values` [N] float64 are the numbers of a regression or indices into `classes`; 0 where not observed.
    `observed` [N] bool: the label is there and `where` is true. Classes are sorted; of a binary task
    they are [negative, positive]. `class_weights` has their order. A reconstruction, whose labels are the
    inputs, and an objective, which has no labels, have no column, and 0 for all values.
    """

    task: str
    column: str | None
    type: TaskType
    loss: str
    primary: str
    classes: list[Any]
    values: np.ndarray
    observed: np.ndarray
    class_weights: list[float] | Literal["balanced"] | None


def infer_type(series: pd.Series) -> TaskType:
    """The task type that a column suggests: truth values or two different values are binary, text and at
    most ten different whole numbers categorical, anything else is a regression."""
    distinct = series.dropna().unique()
    kind = column_kind(series)
    if kind == "bool" or len(distinct) == 2:
        return "binary"
    if kind == "text":
        return "categorical"
    if kind == "number" and len(distinct) <= 10 and all(float(v).is_integer() for v in distinct):
        return "categorical"
    return "regression"


def make_target(name: str, config: Config, table: Table, split: Split, weight: np.ndarray | None) -> Target:
    task = config.tasks[name]
    key = f"tasks.{name}"
    column = (task.target or name) if task.has_column else None
    encoding = ("target", name, column, task.type, task.where, repr(task.positive))
    observed = observed_labels(name, task, table)
    type_, classes, values = table.remember(encoding, lambda: _encode(key, column, task, table.frame, observed))
    values, observed = training_labels(name, config, table, split, weight, values, observed)
    if task.unit is not None and type_ != "regression":
        raise RequestError(f"{key}.unit: found {task.unit!r}, and the task is {type_}\nallowed: null")
    loss, primary = task.loss or LOSSES[type_][0], task.primary or PRIMARY[type_]
    if loss not in LOSSES[type_]:
        raise RequestError(f"{key}.loss: {loss} does not fit {type_}\nallowed: {listing(LOSSES[type_])}")
    if primary not in TASK_METRICS[type_]:
        raise RequestError(f"{key}.primary: {primary} is no metric of {type_}{nearest(primary, TASK_METRICS[type_])}\n"
                           f"allowed: {listing(TASK_METRICS[type_])}")  # fmt: skip
    counted = observed if weight is None else observed & (weight > 0)
    labels = values[split.train][counted[split.train]]
    if not len(labels):
        having = "a label" if weight is None else "a label and a weight above 0"
        where = f"{having} in {column!r}" if column is not None else having
        raise RequestError(f"{key}: no row of train has {where}, in all {int(counted.sum())} have\n"
                           "change data.split or `where`, or leave the task out")  # fmt: skip
    if column is not None and labels.min() == labels.max():
        found = repr(classes[int(labels[0])]) if classes else f"{labels[0]:g}"
        raise RequestError(f"{key}: all {len(labels)} labels of train are {found}\n"
                           "allowed: two values or more; change data.split or `where`, or leave it out")  # fmt: skip
    weights = _class_weights(task.class_weights, type_, classes, f"{key}.class_weights")
    return Target(name, column, type_, loss, primary, classes, values, observed, weights)


def _encode(
    key: str, column: str | None, task: TaskConfig, frame: pd.DataFrame, observed: np.ndarray
) -> tuple[TaskType, list[Any], np.ndarray]:
    """Type, classes and values [N] of a target. Independent of the split."""
    if column is None:
        assert task.type is not None, "has_column"
        return task.type, [], np.zeros(len(frame))
    labels = frame[column][observed]
    type_ = task.type or infer_type(labels)
    values = np.zeros(len(frame), dtype=np.float64)
    if type_ == "regression":
        if task.positive is not None:
            raise RequestError(f"{key}.positive: the task is a regression\nallowed: null, or {key}.type=binary")
        values[observed] = finite_numbers(labels, f"{key}: the target of a regression, column {column!r},")
        return type_, [], values
    classes, codes = classes_of(labels, key)
    if type_ == "binary":
        if len(classes) != 2:
            found = listing(map(class_text, classes), 5)
            raise RequestError(f"{key}: column {column!r} has {len(classes)} different values ({found})\n"
                               f"allowed for binary: two; otherwise {key}.type=categorical or regression")  # fmt: skip
        if task.positive is not None and _class_index(task.positive, classes, f"{key}.positive") == 0:
            classes, codes = classes[::-1], 1 - codes
    elif task.positive is not None:
        raise RequestError(f"{key}.positive: the task is categorical\nallowed: null, or {key}.type=binary")
    elif len(classes) == 1:
        raise RequestError(f"{key}: every label in {column!r} is {classes[0]!r}\nallowed: at least two classes")
    elif task.type is None and (doubt := no_classes(classes, np.bincount(codes))):
        raise RequestError(f"{key}.type: none is given for {column!r}, {doubt}\n"
                           f"set it: {key}.type=categorical, or mend the column")  # fmt: skip
    values[observed] = codes
    return type_, classes, values


def classes_of(labels: pd.Series, key: str) -> tuple[list[Any], np.ndarray]:
    """The sorted classes as Python scalars (bool, int, float or str) and the index [n] of each label."""
    kind = column_kind(labels)
    if kind in ("text", "date"):
        texts, codes = np.unique(as_texts(labels).astype(str), return_inverse=True)
        return [str(t) for t in texts], codes
    numbers = as_numbers(labels)
    if np.isinf(numbers).any():
        raise RequestError(f"{key}: the target holds infinite values\nallowed: classes, or nothing for no label")
    distinct, codes = np.unique(numbers, return_inverse=True)
    if kind == "bool":
        return [bool(v) for v in distinct], codes
    whole = all(float(v).is_integer() for v in distinct)
    return [int(v) if whole else float(v) for v in distinct], codes


def class_text(value: Any) -> str:
    """A class as messages show it: blanks around it would be overlooked without quotes."""
    text = str(value)
    return text if text == text.strip() else repr(text)


def no_classes(classes: Sequence[Any], counts: np.ndarray) -> str | None:
    """Why the values of a categorical target do not look like classes, or None; `counts` [K] are its labels."""
    labels = int(counts.sum())
    if isinstance(classes[0], str):
        share, odd = numeric_share(classes, counts)
        if share >= NUMERIC_SHARE and odd:
            unlike = listing(map(repr, odd), 3)
            return f"read as {len(classes)} classes, though nearly all labels are numbers; not {unlike}"
    if len(classes) <= max(MANY_CLASSES, labels / 2):
        return None
    what = "a number in a notation of its own" if isinstance(classes[0], str) else "a regression"
    return f"{len(classes)} classes in {labels} labels: is it {what}, or an identifier?"


def one_class_twice(classes: Sequence[Any]) -> list[str]:
    """A line for each set of classes that differ in the blanks around them or in upper and lower case only."""
    alike: dict[str, list[str]] = {}
    for name in classes:
        if isinstance(name, str):
            alike.setdefault(name.strip().casefold(), []).append(name)
    return [f"classes that differ only in blanks or upper and lower case: {listing(map(repr, names))}"
            for names in alike.values() if len(names) > 1]  # fmt: skip


def target_notes(target: Target) -> list[str]:
    """Doubts about the classes of a target, one line each."""
    notes = one_class_twice(target.classes)
    if target.type == "categorical":
        labels = target.values[target.observed].astype(np.int64)
        doubt = no_classes(target.classes, np.bincount(labels, minlength=len(target.classes)))
        notes = [doubt, *notes] if doubt else notes
    return [f"{target.task}: {note}" for note in notes]


def _class_index(value: Any, classes: list[Any], key: str) -> int:
    """The index of the class that `value` names; YAML and the command line may have made a number of a text."""
    for i, known in enumerate(classes):
        if type(known) is type(value) and known == value:
            return i
    texts = [str(c).lower() if isinstance(c, bool) else str(c) for c in classes]
    text = str(value).lower() if isinstance(classes[0], bool) else str(value)
    if text in texts:
        return texts.index(text)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value in classes:
        return classes.index(value)
    quote = "; a word such as yes needs quotes in YAML" if isinstance(value, bool) else ""
    raise RequestError(f"{key}: no class is {value!r}{nearest(str(value), texts)}{quote}\n"
                       f"classes: {listing(map(class_text, classes))}")  # fmt: skip


def _class_weights(
    given: Any, type_: TaskType, classes: list[Any], key: str
) -> list[float] | Literal["balanced"] | None:
    if given is None:
        return None
    if type_ == "regression":
        raise RequestError(f"{key}: the task is a regression\nallowed: null")
    if given == "balanced":
        return "balanced"
    if not isinstance(given, Mapping):
        raise RequestError(f"{key}: found {given!r}\nallowed: balanced, or {{CLASS: WEIGHT}}: {{{classes[0]}: 2}}")
    weights = [1.0] * len(classes)
    for name, weight in given.items():
        index = _class_index(name, classes, f"{key}.{name}")
        try:
            weights[index] = float(weight) if not isinstance(weight, bool) else math.nan
        except (TypeError, ValueError):
            weights[index] = math.nan
        if not (math.isfinite(weights[index]) and weights[index] >= 0):
            raise RequestError(f"{key}.{name}: found {weight!r}\nallowed: a number from 0")
    if not any(weights):
        raise RequestError(f"{key}: every class has weight 0\nallowed: at least one weight above 0")
    return weights


def task_rows(target: Target, rows: np.ndarray) -> np.ndarray:
    """The labels of `target` observed among `rows` [n]: class indices, or numbers."""
    values = target.values[rows][target.observed[rows]]
    if target.classes:
        return values.astype(np.int64)
    return values
