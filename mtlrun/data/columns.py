"""Which columns the network reads, and how cells become numbers and codes."""

import fnmatch
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from mtlrun.config import Config
from mtlrun.data.table import as_numbers, as_texts, column_kind
from mtlrun.errors import RequestError, listing, nearest

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
            raw = finite_numbers(frame[column.name], f"{key}: column {column.name!r}")
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


def target_column(config: Config, task: str) -> str:
    """The column that holds the labels of `task`."""
    return config.tasks[task].target or task


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


def input_spec(frame: pd.DataFrame, inputs: list[str], most: int) -> tuple[InputSpec, list[str]]:
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
            center, scale = conditioning(finite_numbers(series, where), where)
            columns.append(InputColumn(name, "numeric", center, scale, missing))
    return InputSpec(columns), notes


def finite_numbers(series: pd.Series, where: str) -> np.ndarray:
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


def conditioning(raw: np.ndarray, where: str) -> tuple[float, float]:
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
