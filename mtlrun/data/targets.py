"""How a column becomes the labels of a task."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from mtlrun.config.schema import Config, TaskConfig
from mtlrun.data.columns import finite_numbers
from mtlrun.data.doubts import class_text, no_classes, one_class_twice
from mtlrun.data.expression import parse
from mtlrun.data.kinds import NUMBER, TEXT, TRUTH, kind_of
from mtlrun.data.labels import observed_labels, raw_labels, training_labels
from mtlrun.data.split import Split
from mtlrun.data.table import Table
from mtlrun.tasks import refused_labels, type_of
from mtlrun.util.errors import RequestError, listing, nearest


@dataclass(frozen=True)
class Target:
    """A task's labels over all rows of the table.

    `values` [N] float64 are the numbers of a regression or indices into `classes`; 0 where not observed.
    `observed` [N] bool: the label is there and `where` is true. Classes are sorted; of a binary task
    they are [negative, positive]; those of bins are 1, 2, …, the lowest first. `class_weights` has their order.
    `column` is None where the labels come from an expression; a reconstruction, whose labels are the inputs, and an
    objective, which has no labels, have no column either, and 0 for all values.
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


def infer_type(series: pd.Series) -> str:
    """The task type that a column suggests: truth values or two different values are binary, text and at
    most ten different whole numbers categorical, anything else is a regression."""
    distinct = series.dropna().unique()
    kind = kind_of(series)
    if kind is TRUTH or len(distinct) == 2:
        return "binary"
    if kind is TEXT:
        return "categorical"
    if kind is NUMBER and len(distinct) <= 10 and all(float(v).is_integer() for v in distinct):
        return "categorical"
    return "regression"


def make_target(name: str, config: Config, table: Table, split: Split, weight: np.ndarray | None) -> Target:
    task = config.tasks[name]
    key = f"tasks.{name}"
    column = (task.target or name) if task.has_column else None
    encoding = ("target", name, column, task.expression, str(task.bins), task.type, task.where, repr(task.positive))
    observed = observed_labels(name, task, table)
    labels = raw_labels(name, task, table)
    type_, classes, values = table.remember(encoding, lambda: _encode(name, task, labels, observed))
    declared = type_of(type_)
    if task.smooth is not None and not declared.averages:
        raise RequestError(
            f"{key}.smooth: means of numbers, and the task is {type_}\nset {key}.type=regression, or '~{key}.smooth'"
        )
    values, observed = training_labels(name, config, table, split, weight, values, observed)
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
    counted = observed if weight is None else observed & (weight > 0)
    source = column if task.expression is None else task.expression
    learnt = values[split.train][counted[split.train]]
    if not len(learnt):
        having = "a label" if weight is None else "a label and a weight above 0"
        where = f"{having} in {source!r}" if task.has_labels else having
        raise RequestError(
            f"{key}: no row of train has {where}, in all {int(counted.sum())} have\n"
            "change data.split or `where`, or leave the task out"
        )
    if task.has_labels and learnt.min() == learnt.max():
        found = repr(classes[int(learnt[0])]) if classes else f"{learnt[0]:g}"
        raise RequestError(
            f"{key}: all {len(learnt)} labels of train are {found}\n"
            "allowed: two values or more; change data.split or `where`, or leave it out"
        )
    weights = _class_weights(task.class_weights, type_, classes, f"{key}.class_weights")
    return Target(name, column, type_, loss, primary, classes, values, observed, weights)


def _inferred(key: str, task: TaskConfig, labels: pd.Series) -> str:
    """The type that the labels suggest: as `infer_type` has it, but for numbers that an expression computes, which are
    a regression."""
    computed = task.expression is not None and parse(task.expression, f"{key}.expression").column is None
    return "regression" if computed and kind_of(labels) is NUMBER else infer_type(labels)


def _encode(
    name: str, task: TaskConfig, every: pd.Series | None, observed: np.ndarray
) -> tuple[str, list[Any], np.ndarray]:
    """Type, classes and values [N] of a target from its labels [N] as the table has them. Independent of the split."""
    key, values = f"tasks.{name}", np.zeros(len(observed), dtype=np.float64)
    if every is None:
        assert task.type is not None, "has_labels"
        return task.type, [], values
    column = task.expression or task.target or name
    labels = every[observed]
    if task.bins is not None:
        edges = bin_edges(name, task, every, observed)
        classes: list[Any] = list(range(1, len(edges) + 2))
        codes = np.searchsorted(edges, finite_numbers(labels, key, np.flatnonzero(observed)), side="right")
        type_ = task.type or ("binary" if len(classes) == 2 else "categorical")
    else:
        type_ = task.type or _inferred(key, task, labels)
        if not type_of(type_).has_numbers:
            classes, codes = classes_of(labels, key)
    declared = type_of(type_)
    if declared.has_numbers:
        if task.positive is not None:
            raise RequestError(f"{key}.positive: the task is a {type_}\nallowed: null, or {key}.type=binary")
        where = f"column {column!r}" if task.expression is None else f"expression {column!r}"
        numbers = finite_numbers(labels, f"{key}: the target of a {type_}, {where},", np.flatnonzero(observed))
        if (refused := refused_labels(type_, numbers)) is not None and refused.any():
            at = int(np.argmax(refused))
            row = int(np.flatnonzero(observed)[at]) + 1
            raise RequestError(
                f"{key}: the target of a {type_}, {where}, holds {numbers[at]:g} in row {row}\n"
                f"allowed: {declared.allowed}; mend the column, or choose another {key}.type"
            )
        values[observed] = numbers
        return type_, [], values
    if declared.has_two_classes:
        if len(classes) != 2:
            found = listing(map(class_text, classes), 5)
            what = f"column {column!r} has {len(classes)} different values ({found})"
            what = what if task.bins is None else f"{len(classes)} bins are {len(classes)} classes"
            raise RequestError(
                f"{key}: {what}\nallowed for {type_}: two; otherwise {key}.type=categorical or regression"
            )
        if task.positive is not None and _class_index(task.positive, classes, f"{key}.positive") == 0:
            classes, codes = classes[::-1], 1 - codes
    elif task.positive is not None:
        raise RequestError(f"{key}.positive: the task is {type_}\nallowed: null, or {key}.type=binary")
    elif len(classes) == 1:
        raise RequestError(f"{key}: every label in {column!r} is {classes[0]!r}\nallowed: at least two classes")
    elif task.type is None and task.bins is None and (doubt := no_classes(classes, np.bincount(codes))):
        raise RequestError(
            f"{key}.type: none is given for {column!r}, {doubt}\nset it: {key}.type=categorical, or mend the column"
        )
    values[observed] = codes
    return type_, classes, values


def bin_edges(name: str, task: TaskConfig, labels: pd.Series, observed: np.ndarray) -> np.ndarray:
    """The inner edges [K − 1] between the K bins of a task, of whose labels [N] those that are `observed` count.

    A label v is in class k, from 1 on, if edge k − 1 ≤ v < edge k. Of a number of bins the edges are quantiles of the
    labels in the whole table. Raises RequestError for labels that are no numbers, and where bins would be empty.
    """
    key, column = f"tasks.{name}.bins", task.expression or task.target or name
    numbers = finite_numbers(labels[observed], f"{key}: {column!r}", np.flatnonzero(observed))
    if not isinstance(task.bins, int):
        return np.array(task.bins, dtype=np.float64)
    if task.bins > len(numbers):
        raise RequestError(f"{key}: found {task.bins:,}, and there are {len(numbers)} labels\nallowed: fewer bins")
    edges: np.ndarray = np.quantile(numbers, np.arange(1, task.bins) / task.bins)
    counts = np.bincount(np.searchsorted(edges, numbers, side="right"), minlength=task.bins)
    if counts.min() == 0:
        values, times = np.unique(numbers, return_counts=True)
        raise RequestError(
            f"{key}: found {task.bins}, and {listing(f'{e:g}' for e in edges)} leave a bin empty, as "
            f"{times.max()} of {len(numbers)} labels are {values[times.argmax()]:g}\n"
            "allowed: fewer bins, or a list of their inner edges"
        )
    return edges


def classes_of(labels: pd.Series, key: str) -> tuple[list[Any], np.ndarray]:
    """The sorted classes as Python scalars (bool, int, float or str) and the index [n] of each label.

    Raises RequestError for infinite values.
    """
    try:
        return kind_of(labels).classes(labels)
    except ValueError:
        raise RequestError(
            f"{key}: the target holds infinite values\nallowed: classes, or nothing for no label"
        ) from None


def target_notes(target: Target) -> list[str]:
    """Doubts about the classes of a target, one line each."""
    notes = one_class_twice(target.classes)
    declared = type_of(target.type)
    if declared.has_classes and not declared.has_two_classes:
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
    raise RequestError(
        f"{key}: no class is {value!r}{nearest(str(value), texts)}{quote}\nclasses: {listing(map(class_text, classes))}"
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
        index = _class_index(name, classes, f"{key}.{name}")
        try:
            weights[index] = float(weight) if not isinstance(weight, bool) else math.nan
        except (TypeError, ValueError, OverflowError):
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
