"""From a checked configuration to the arrays of a run: inputs, targets, weights, split."""

import fnmatch
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from mtlrun.config import Config, DataConfig, TaskConfig
from mtlrun.data.expression import condition
from mtlrun.data.split import PARTS, Split, require_column, split_rows
from mtlrun.data.table import Table, as_numbers, as_texts, column_kind, load_tables, resolve_path
from mtlrun.errors import RequestError, listing, nearest

TaskType = Literal["regression", "binary", "categorical"]

# The metrics of each task type and which way they are better, the primary one, the losses (default first).
TASK_METRICS: dict[str, dict[str, Literal["min", "max"]]] = {
    "regression": {"mse": "min", "rmse": "min", "mae": "min", "r2": "max"},
    "binary": {"accuracy": "max", "auroc": "max", "auprc": "max", "logloss": "min"},
    "categorical": {"accuracy": "max", "logloss": "min"},
}
PRIMARY = {"regression": "rmse", "binary": "auroc", "categorical": "accuracy"}
LOSSES = {"regression": ("mse", "l1", "huber"), "binary": ("cross_entropy",), "categorical": ("cross_entropy",)}

UNKNOWN, MISSING = -1, -2  # codes of a category column


@dataclass(frozen=True)
class InputColumn:
    """A column that the network reads.

    A number is stored as (raw - center) / scale, with the mean and standard deviation of the whole
    table (1 where constant). That is conditioning only, so that timestamps and the like survive
    float32; the scaling by the training rows of a run is the network's. `missing` says whether the
    whole table has gaps here. Of a category column, code i stands for `categories[i]` (sorted text).
    """

    name: str
    kind: Literal["numeric", "category"]
    center: float = 0.0
    scale: float = 1.0
    missing: bool = False
    categories: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class InputSpec:
    """What turns a table into arrays, in the order of `columns`."""

    columns: list[InputColumn]

    def to_plain(self) -> dict[str, Any]:
        """As JSON types; `from_plain` gives the same again."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "InputSpec":
        return cls([InputColumn(**column) for column in plain["columns"]])

    def transform(self, frame: pd.DataFrame, key: str = "data.inputs") -> tuple[np.ndarray, np.ndarray]:
        """Numbers [N, Dn] float32, NaN where missing; codes [N, Dc] int32, -1 unknown, -2 missing.

        Raises RequestError (naming `key`) for missing columns, all of them at once, for text in a
        column of numbers, and for infinite values.
        """
        absent = [c.name for c in self.columns if c.name not in frame.columns]
        if absent:
            found = [str(c) for c in frame.columns]
            words = [f"{name!r}{nearest(name, found)}" for name in absent]
            raise RequestError(f"{key}: the table lacks {len(absent)} of {len(self.columns)} input columns: "
                               f"{listing(words, 50)}\ncolumns: {listing(found)}")  # fmt: skip
        numeric = [c for c in self.columns if c.kind == "numeric"]
        category = [c for c in self.columns if c.kind == "category"]
        numbers = np.empty((len(frame), len(numeric)), dtype=np.float32)
        codes = np.empty((len(frame), len(category)), dtype=np.int32)
        for j, column in enumerate(numeric):
            raw = _numbers(frame[column.name], f"{key}: column {column.name!r}")
            with np.errstate(over="ignore"):
                numbers[:, j] = (raw - column.center) / column.scale
            if np.isinf(numbers[:, j]).any():
                largest = np.nanmax(np.abs(raw))
                raise RequestError(f"{key}: column {column.name!r} holds values as large as {largest:g}\n"
                                   f"in training: {column.center:g} ± {column.scale:g}; mend the table")  # fmt: skip
        for j, column in enumerate(category):
            series = frame[column.name]
            position = {text: code for code, text in enumerate(column.categories)}
            where, values = pd.factorize(as_texts(series))
            codes[:, j] = np.array([position.get(v, UNKNOWN) for v in values] or [UNKNOWN], dtype=np.int32)[where]
            codes[series.isna().to_numpy(), j] = MISSING
        return numbers, codes


@dataclass(frozen=True)
class Target:
    """A task's labels over all rows of the table.

    `values` [N] float32 is (raw - center) / scale of a regression, with the mean and standard deviation
    of all observed labels (conditioning only), or the index into `classes`; 0 where not observed.
    `observed` [N] bool: the label is there and `where` is true. Classes are sorted; of a binary task
    they are [negative, positive]. `class_weights` has their order.
    """

    task: str
    column: str
    type: TaskType
    loss: str
    primary: str
    classes: list[Any]
    center: float
    scale: float
    values: np.ndarray
    observed: np.ndarray
    class_weights: list[float] | Literal["balanced"] | None


@dataclass(frozen=True)
class Dataset:
    """Everything that a run reads: inputs and targets of all rows, and which rows belong to which part."""

    spec: InputSpec
    numeric: np.ndarray  # [N, Dn] float32
    codes: np.ndarray  # [N, Dc] int32
    targets: dict[str, Target]  # the active tasks, in the order of the configuration
    weight: np.ndarray | None  # [N] float32
    split: Split
    hash: str
    notes: list[str]


def load_dataset(config: Config) -> Dataset:
    """The data of a run. Arrays are shared between the runs of a process: do not write to them.

    Raises RequestError for everything that is wrong with the table or does not go with the tasks.
    """
    table, files = load_table(config.data)
    frame = table.frame
    for name in config.tasks:
        require_column(target_column(config, name), frame, f"tasks.{name}.target")
    split = split_rows(frame, config.data.split, config.data.train_rows, files)
    inputs = input_columns(config, frame)
    most = config.data.max_categories
    spec, pooled = table.remember(("spec", tuple(inputs), most), lambda: _input_spec(frame, inputs, most))
    numeric, codes = table.remember(("arrays", tuple(inputs), most), lambda: spec.transform(frame))
    weight = _weight(config.data.weight, table, split)
    targets = {name: _target(name, task, table, split, weight) for name, task in config.active.items()}
    notes = target_inputs(config, inputs) + pooled
    notes += _unlabelled(targets, split) + _unseen_categories(spec, codes, split) + _unseen_classes(targets, split)
    return Dataset(spec, numeric, codes, targets, weight, split, table.digest, notes)


def load_table(data: DataConfig) -> tuple[Table, np.ndarray | None]:
    """The table of a configuration; and with `data.split.files` each row's part (0 train, 1 val, 2 test), else None."""
    named = {"data.path": data.path} | {f"data.split.files.{p}": f for p, f in (data.split.files or {}).items()}
    table = load_tables([resolve_path(path, key) for key, path in named.items()], list(named))
    if data.split.files is None:
        return table, None
    return table, np.repeat([0, *(PARTS.index(p) for p in data.split.files)], table.lengths)


def target_column(config: Config, task: str) -> str:
    """The column that holds the labels of `task`."""
    return config.tasks[task].target or task


# ---------------------------------------------------------------- inputs


def input_columns(config: Config, frame: pd.DataFrame) -> list[str]:
    """The names of the input columns, in the order of the table.

    Default, and what patterns such as "room_*" may match: every column that is no target (of any task),
    split, group or weight column. Such a column is an input only if `data.inputs` names it in full.
    """
    data = config.data
    reserved = {data.weight, data.split.by, data.split.column} | {target_column(config, t) for t in config.tasks}
    columns = [str(c) for c in frame.columns]
    free = [c for c in columns if c not in reserved]
    if data.inputs is None:
        if not free:
            raise RequestError("data.inputs: no column is left beside targets, split, group and weight\n"
                               f"columns: {listing(columns)}")  # fmt: skip
        return free
    chosen: set[str] = set()
    for i, pattern in enumerate(data.inputs):
        found = [pattern] if pattern in columns else fnmatch.filter(free, pattern)
        if not found:
            held_back = "matches only targets, split, group and weight columns: name it in full"
            why = held_back if fnmatch.filter(columns, pattern) else f"matches no column{nearest(pattern, columns)}"
            raise RequestError(f"data.inputs[{i}]: {pattern!r} {why}\ncolumns: {listing(columns)}")
        chosen.update(found)
    if not chosen:
        raise RequestError(f"data.inputs: the list is empty\nallowed: some of {listing(columns)}; null for all")
    return [c for c in columns if c in chosen]


def target_inputs(config: Config, inputs: list[str]) -> list[str]:
    """A warning for each input that is the target of an active task, or the weight, group or split column."""
    roles = {target_column(config, t): "a target" for t in config.active}
    data = config.data
    roles |= {c: "the weight column" for c in [data.weight] if c}
    roles |= {c: "the split column" for c in [data.split.column] if c}
    return [f"{c} is {roles[c]} and also among the inputs" for c in inputs if c in roles]


def _input_spec(frame: pd.DataFrame, inputs: list[str], most: int) -> tuple[InputSpec, list[str]]:
    columns, notes = [], []
    for name in inputs:
        series = frame[name]
        missing = bool(series.isna().any())
        if column_kind(series) == "text":
            counts = pd.Series(as_texts(series)[series.notna().to_numpy()]).value_counts()
            kept = sorted(counts.to_dict().items(), key=lambda item: (-item[1], str(item[0])))[:most]
            if pooled := len(counts) - len(kept):
                notes.append(f"{name}: {pooled} rare values pooled as unknown (data.max_categories={most})")
            columns.append(InputColumn(name, "category", missing=missing, categories=sorted(str(k) for k, _ in kept)))
        else:
            where = f"data.inputs: column {name!r}"
            center, scale = _conditioning(_numbers(series, where), where)
            columns.append(InputColumn(name, "numeric", center, scale, missing))
    return InputSpec(columns), notes


def _numbers(series: pd.Series, where: str) -> np.ndarray:
    """The column as float64 [N], NaN where missing. Text that spells numbers throughout is read as such."""
    if column_kind(series) == "text":
        raw = pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        odd = series.notna().to_numpy() & np.isnan(raw)
        if odd.any():
            row = int(np.argmax(odd))
            raise RequestError(f"{where} holds text, such as {series.iloc[row]!r} in row {row + 1}\n"
                               "allowed: numbers; mend the table or leave the column out")  # fmt: skip
    else:
        raw = as_numbers(series)
    infinite = np.isinf(raw)
    if infinite.any():
        row = int(np.argmax(infinite)) + 1
        raise RequestError(f"{where} holds {int(infinite.sum())} infinite values, the first in row {row}\n"
                           "allowed: finite numbers, or nothing where the value is missing")  # fmt: skip
    return raw


def _conditioning(raw: np.ndarray, where: str) -> tuple[float, float]:
    """Mean and standard deviation of the values that are there; the latter 1 if they are all alike."""
    present = raw[~np.isnan(raw)]
    if not len(present):
        return 0.0, 1.0
    if present.min() == present.max():
        return float(present[0]), 1.0
    with np.errstate(over="ignore"):
        center, scale = float(present.mean()), float(present.std())
    if not math.isfinite(scale):
        raise RequestError(f"{where} holds values as large as {np.abs(present).max():g}\nallowed: numbers below 1e150")
    return center, scale or 1.0


def _weight(column: str | None, table: Table, split: Split) -> np.ndarray | None:
    if column is None:
        return None
    require_column(column, table.frame, "data.weight")

    def make() -> np.ndarray:
        weight = _numbers(table.frame[column], f"data.weight: column {column!r}").astype(np.float32)
        bad = ~(np.isfinite(weight) & (weight >= 0))
        if bad.any():
            row = int(np.argmax(bad))
            found = table.frame[column].iloc[row]
            raise RequestError(f"data.weight: column {column!r} holds {found} in row {row + 1}\n"
                               "allowed: finite numbers from 0, in every row")  # fmt: skip
        return weight

    weight = table.remember(("weight", column), make)
    for part, rows in split.parts().items():
        if not (weight[rows] > 0).any():
            raise RequestError(f"data.weight: column {column!r} is 0 in all of {part}\nallowed: some weight above 0")
    return weight


# ---------------------------------------------------------------- targets


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


def _target(name: str, task: TaskConfig, table: Table, split: Split, weight: np.ndarray | None) -> Target:
    key, column = f"tasks.{name}", task.target or name
    encoding = ("target", name, column, task.type, task.where, repr(task.positive))
    type_, classes, center, scale, values, observed = table.remember(
        encoding, lambda: _encode(key, column, task, table.frame)
    )
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
        raise RequestError(f"{key}: no row of train has {having} in {column!r}, in all {int(counted.sum())} have\n"
                           "change data.split or `where`, or leave the task out")  # fmt: skip
    if labels.min() == labels.max():
        found = repr(classes[int(labels[0])]) if classes else f"{labels[0] * scale + center:g}"
        raise RequestError(f"{key}: all {len(labels)} labels of train are {found}\n"
                           "allowed: two values or more; change data.split or `where`, or leave it out")  # fmt: skip
    weights = _class_weights(task.class_weights, type_, classes, f"{key}.class_weights")
    return Target(name, column, type_, loss, primary, classes, center, scale, values, observed, weights)


def _encode(
    key: str, column: str, task: TaskConfig, frame: pd.DataFrame
) -> tuple[TaskType, list[Any], float, float, np.ndarray, np.ndarray]:
    """Type, classes, center, scale, values [N] and observed [N] of a target. Independent of the split."""
    observed = np.array(frame[column].notna())  # a copy, as pandas hands out read-only arrays
    if task.where is not None:
        observed = observed & condition(task.where, frame, f"{key}.where")
    if not observed.any():
        empty = not frame[column].notna().any()
        why = f"{column!r} is empty" if empty else f"no row with a label fulfils {task.where!r}"
        raise RequestError(f"{key}: has no label at all, {why}\nmend the table or `where`, or leave the task out")
    labels = frame[column][observed]
    type_ = task.type or infer_type(labels)
    values = np.zeros(len(frame), dtype=np.float32)
    if type_ == "regression":
        if task.positive is not None:
            raise RequestError(f"{key}.positive: the task is a regression\nallowed: null, or {key}.type=binary")
        raw = _numbers(labels, f"{key}: the target of a regression, column {column!r},")
        center, scale = _conditioning(raw, f"{key}: column {column!r}")
        values[observed] = (raw - center) / scale
        return type_, [], center, scale, values, observed
    classes, codes = _classes(labels, key)
    if type_ == "binary":
        if len(classes) != 2:
            raise RequestError(f"{key}: column {column!r} has {len(classes)} different values ({listing(classes, 5)})\n"
                               f"allowed for binary: two; otherwise {key}.type=categorical or regression")  # fmt: skip
        if task.positive is not None and _class_index(task.positive, classes, f"{key}.positive") == 0:
            classes, codes = classes[::-1], 1 - codes
    elif task.positive is not None:
        raise RequestError(f"{key}.positive: the task is categorical\nallowed: null, or {key}.type=binary")
    elif len(classes) == 1:
        raise RequestError(f"{key}: every label in {column!r} is {classes[0]!r}\nallowed: at least two classes")
    values[observed] = codes
    return type_, classes, 0.0, 1.0, values, observed


def _classes(labels: pd.Series, key: str) -> tuple[list[Any], np.ndarray]:
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
    raise RequestError(f"{key}: no class is {value!r}{nearest(str(value), texts)}{quote}\nclasses: {listing(classes)}")


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


# ---------------------------------------------------------------- notes


def _unlabelled(targets: dict[str, Target], split: Split) -> list[str]:
    notes = []
    labelled = np.logical_or.reduce([t.observed for t in targets.values()])
    for part, rows in split.parts().items():
        without = int((~labelled[rows]).sum())
        if without:
            notes.append(f"{without} of {len(rows)} {part} rows have no label of any task")
        for target in targets.values():
            if not target.observed[rows].any():
                notes.append(f"{target.task} has no label in {part}")
    return notes


def _unseen_categories(spec: InputSpec, codes: np.ndarray, split: Split) -> list[str]:
    names = [c.name for c in spec.columns if c.kind == "category"]
    sizes = [len(c.categories) for c in spec.columns if c.kind == "category"]
    counts: dict[str, list[int]] = {}
    for j, (name, size) in enumerate(zip(names, sizes, strict=True)):
        column = codes[:, j]
        unseen = np.ones(size + 2, dtype=bool)  # the last two are the codes -2 and -1, which are no categories
        unseen[column[split.train]] = False
        unseen[[MISSING, UNKNOWN]] = False
        if unseen.any():
            counts[name] = [int(unseen[column[rows]].sum()) for rows in (split.val, split.test)]
    return [f"{name}: {val} val and {test} test rows hold values that train has not: treated as unknown"
            for name, (val, test) in counts.items() if val or test]  # fmt: skip


def _unseen_classes(targets: dict[str, Target], split: Split) -> list[str]:
    notes = []
    for target in targets.values():
        labels = target.values[split.train][target.observed[split.train]]
        unseen = np.setdiff1d(np.arange(len(target.classes)), labels.astype(np.int64))
        if len(unseen):
            notes.append(f"{target.task}: train has no label of {listing(target.classes[i] for i in unseen)}")
    return notes


def task_rows(target: Target, rows: np.ndarray) -> np.ndarray:
    """The labels of `target` observed among `rows` [n]: class indices, or values in the column's own unit."""
    values = target.values[rows][target.observed[rows]]
    if target.classes:
        return values.astype(np.int64)
    raw: np.ndarray = values.astype(np.float64) * target.scale + target.center
    return raw
