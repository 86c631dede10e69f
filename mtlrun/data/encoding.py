"""Labels as numbers: the task type that a column suggests, the classes, and the encoded labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mtlrun.config.schema import TaskConfig
from mtlrun.data.columns import finite_numbers
from mtlrun.data.doubts import class_text, declaration, no_classes
from mtlrun.data.expression import parse
from mtlrun.data.kinds import NUMBER, TEXT, TRUTH, kind_of
from mtlrun.data.labels import label_source
from mtlrun.data.notation import recognise
from mtlrun.tasks import BINARY, CATEGORICAL, REGRESSION, refused_labels, type_of
from mtlrun.util.errors import RequestError, data_row, listing, nearest


@dataclass(frozen=True)
class Encoding:
    """The encoded labels of a task in all rows of the table, independent of the split.

    values: numbers or indices into `classes`, float64 [N]; 0 if no label is observed.
    """

    type: str
    classes: list[Any]
    values: np.ndarray


@dataclass(frozen=True)
class _Observed:
    """The observed labels `series` [n] of the task `name`, and their row numbers [n] in the table."""

    name: str
    task: TaskConfig
    series: pd.Series
    rows: np.ndarray

    @property
    def key(self) -> str:
        return f"tasks.{self.name}"

    @property
    def source(self) -> str:
        return label_source(self.name, self.task)


def encode(name: str, task: TaskConfig, labels: pd.Series | None, observed: np.ndarray) -> Encoding:
    """Encodes the labels [N] of a task (None if it has no labels) in the `observed` rows, a mask [N].

    Raises RequestError if they do not fit the type or the settings of the task.
    """
    values = np.zeros(len(observed), dtype=np.float64)
    if labels is None:
        assert task.type is not None, "has_labels"
        return Encoding(task.type, [], values)
    there = _Observed(name, task, labels[observed], np.flatnonzero(observed))
    classes: list[Any] = []
    if task.bins is not None:
        classes, codes = _binned(there, bin_edges(name, task, labels, observed))
        type_ = task.type or (BINARY if len(classes) == 2 else CATEGORICAL)
    else:
        type_ = task.type or _inferred(there)
        if not type_of(type_).has_numbers:
            classes, codes = classes_of(there.series, there.key)
    if type_of(type_).has_numbers:
        values[observed] = _numbers(there, type_)
        return Encoding(type_, [], values)
    if type_of(type_).has_two_classes:
        classes, codes = _two_classes(there, type_, classes, codes)
    else:
        _require_classes(there, type_, classes, codes)
    values[observed] = codes
    return Encoding(type_, classes, values)


def _numbers(labels: _Observed, type_: str) -> np.ndarray:
    """The labels [n] for a type with numbers. Raises RequestError for labels that the type does not allow."""
    key, task = labels.key, labels.task
    if task.positive is not None:
        raise RequestError(f"{key}.positive: the task is a {type_}\nallowed: null, or {key}.type=binary")
    where = f"column {labels.source!r}" if task.expression is None else f"expression {labels.source!r}"
    numbers = finite_numbers(labels.series, f"{key}: the target of a {type_}, {where},", labels.rows)
    if (refused := refused_labels(type_, numbers)) is not None and refused.any():
        at = int(np.argmax(refused))
        raise RequestError(
            f"{key}: the target of a {type_}, {where}, holds {numbers[at]:g} in {data_row(int(labels.rows[at]))}\n"
            f"allowed: {type_of(type_).allowed}; mend the column, or choose another {key}.type"
        )
    return numbers


def _two_classes(labels: _Observed, type_: str, classes: list[Any], codes: np.ndarray) -> tuple[list[Any], np.ndarray]:
    """The two classes with the positive one last, and the index [n] of each label."""
    key, task = labels.key, labels.task
    if len(classes) != 2:
        shown = listing(map(class_text, classes), 5)
        what = f"column {labels.source!r} has {len(classes)} different values ({shown})"
        what = what if task.bins is None else f"{len(classes)} bins are {len(classes)} classes"
        raise RequestError(f"{key}: {what}\nallowed for {type_}: two; otherwise {key}.type=categorical or regression")
    if task.positive is not None and class_index(task.positive, classes, f"{key}.positive") == 0:
        return classes[::-1], 1 - codes
    return classes, codes


def _require_classes(labels: _Observed, type_: str, classes: list[Any], codes: np.ndarray) -> None:
    """Raises RequestError unless the labels can be the classes of a categorical task."""
    key, task = labels.key, labels.task
    if task.positive is not None:
        raise RequestError(f"{key}.positive: the task is {type_}\nallowed: null, or {key}.type=binary")
    if len(classes) == 1:
        raise RequestError(f"{key}: every label in {labels.source!r} is {classes[0]!r}\nallowed: at least two classes")
    if task.type is None and task.bins is None and (doubt := no_classes(classes, np.bincount(codes))):
        raise RequestError(
            f"{key}.type: none is given for {labels.source!r}, {doubt}\n"
            f"set it: {key}.type=categorical, or {_read_otherwise(labels, classes)}"
        )


def _read_otherwise(labels: _Observed, cells: Sequence[Any]) -> str:
    """How to read a column of text as the numbers, dates or times that it spells."""
    found = recognise(list(map(str, cells))) if labels.task.has_column and kind_of(labels.series) is TEXT else []
    return declaration(labels.source, found) if found else "mend the column"


# ---------------------------------------------------------------- types


def infer_type(series: pd.Series) -> str:
    """The task type that a column suggests.

    Truth values or two distinct values: binary. Text or at most ten distinct whole numbers: categorical. Anything else:
    regression.
    """
    distinct = series.dropna().unique()
    kind = kind_of(series)
    if kind is TRUTH or len(distinct) == 2:
        return BINARY
    if kind is TEXT:
        return CATEGORICAL
    if kind is NUMBER and len(distinct) <= 10 and all(float(v).is_integer() for v in distinct):
        return CATEGORICAL
    return REGRESSION


def _inferred(labels: _Observed) -> str:
    """The type from `infer_type`, except that numbers computed by an expression are a regression."""
    expression = labels.task.expression
    computed = expression is not None and parse(expression, f"{labels.key}.expression").column is None
    return REGRESSION if computed and kind_of(labels.series) is NUMBER else infer_type(labels.series)


# ---------------------------------------------------------------- classes


def classes_of(labels: pd.Series, key: str) -> tuple[list[Any], np.ndarray]:
    """The sorted classes as Python scalars (bool, int, float or str), and the class index [n] of each label.

    Raises RequestError for infinite values.
    """
    try:
        return kind_of(labels).classes(labels)
    except ValueError:
        raise RequestError(
            f"{key}: the target holds infinite values\nallowed: classes, or nothing for no label"
        ) from None


def _binned(labels: _Observed, edges: np.ndarray) -> tuple[list[Any], np.ndarray]:
    """The bins as classes 1, 2, …, lowest first, and the class index [n] of each label. edges: the inner edges."""
    numbers = finite_numbers(labels.series, labels.key, labels.rows)
    return list(range(1, len(edges) + 2)), np.searchsorted(edges, numbers, side="right")


def bin_edges(name: str, task: TaskConfig, labels: pd.Series, observed: np.ndarray) -> np.ndarray:
    """The inner edges [K − 1] between the K bins of a task, from the `observed` ones of its labels [N].

    A label v is in class k (counted from 1) if edge k − 1 ≤ v < edge k. If `task.bins` is a number, the edges are
    quantiles of the labels in the whole table. Raises RequestError if labels are not numbers or a bin would be empty.
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


def class_index(value: Any, classes: list[Any], key: str) -> int:
    """The index of the class that `value` names. YAML and the command line may have turned text into a number.

    Raises RequestError if there is no such class.
    """
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
