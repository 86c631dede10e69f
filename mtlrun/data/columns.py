"""Which columns the network reads, and how cells become numbers and codes."""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from mtlrun.config.schema import Config, DataConfig
from mtlrun.config.values import from_mapping
from mtlrun.data.table import as_numbers, as_texts, column_kind
from mtlrun.util.errors import RequestError, listing, nearest

UNKNOWN, MISSING = -1, -2  # codes of a category column
LARGEST = 1e30  # so that squares and scaled values stay finite in float32
NUMERIC_SHARE = 0.9  # of the cells of a text column that spell numbers, from which the others look like mistakes
DATE_SHARE = 0.95  # of the different values of a text column that are dates, from which it is a column of dates
_DATES_READ = 1000  # so many different values are tried as dates


@dataclass(frozen=True)
class InputColumn:
    """A column that the network reads.

    Numbers stay as they are; the scaling by the training rows of a run is the network's. `missing` says
    whether the whole table has gaps here, and `date` that the numbers are dates, in days since 1970. Of
    a category column, code i stands for `categories[i]` (sorted text).

    `hidden`: the column is encoded as the target of a reconstruction, and the network does not see it.
    """

    name: str
    kind: Literal["numeric", "category"]
    missing: bool = False
    categories: list[str] = field(default_factory=list)
    date: bool = False
    hidden: bool = False

    @property
    def width(self) -> int:
        """How many numbers the column becomes: an indicator of gaps beside a number, one per category."""
        return (0 if self.kind == "category" else 1) + self.missing + len(self.categories)


@dataclass(frozen=True)
class InputSpec:
    """What turns a table into arrays, in the order of `columns`."""

    columns: list[InputColumn]

    @property
    def inputs(self) -> list[InputColumn]:
        """The columns that the network sees."""
        return [c for c in self.columns if not c.hidden]

    @property
    def hidden(self) -> list[InputColumn]:
        """The columns that the network does not see, and reconstructs."""
        return [c for c in self.columns if c.hidden]

    @property
    def width(self) -> int:
        """How many numbers the network sees."""
        return sum(c.width for c in self.inputs)

    def to_plain(self) -> dict[str, Any]:
        """As JSON types; `from_plain` gives the same again."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "InputSpec":
        """The same as `to_plain` gave it. Raises RequestError, TypeError or AttributeError for anything else."""
        return cls([from_mapping(InputColumn, column, "inputs", "a column") for column in plain["columns"]])

    def transform(self, frame: pd.DataFrame, key: str = "data.inputs") -> tuple[np.ndarray, np.ndarray]:
        """Numbers [N, Dn] float64, NaN where missing; codes [N, Dc] int32, -1 unknown, -2 missing.

        Dates may be written as text, such as 2020-09-22. Raises RequestError (naming `key`) for missing
        columns, all of them at once, for text in a column of numbers, for what is no date in a column of
        dates, and for infinite values. Hidden columns may be missing, and count as such.
        """
        absent = [c.name for c in self.inputs if c.name not in frame.columns]
        if absent:
            found = [str(c) for c in frame.columns]
            words = [f"{name!r}{nearest(name, found)}" for name in absent]
            raise RequestError(
                f"{key}: the table lacks {len(absent)} of {len(self.inputs)} input columns: "
                f"{listing(words, 50)}\ncolumns: {listing(found)}"
            )
        numeric = [c for c in self.columns if c.kind == "numeric"]
        category = [c for c in self.columns if c.kind == "category"]
        numbers = np.full((len(frame), len(numeric)), np.nan)
        codes = np.full((len(frame), len(category)), MISSING, dtype=np.int32)
        for j, column in enumerate(numeric):
            if column.name not in frame.columns:
                continue
            read = _days if column.date else finite_numbers
            numbers[:, j] = read(frame[column.name], f"{key}: column {column.name!r}")
        for j, column in enumerate(category):
            if column.name not in frame.columns:
                continue
            series = frame[column.name]
            position = {text: code for code, text in enumerate(column.categories)}
            where, values = pd.factorize(as_texts(series))
            codes[:, j] = np.array([position.get(v, UNKNOWN) for v in values] or [UNKNOWN], dtype=np.int32)[where]
            codes[series.isna().to_numpy(), j] = MISSING
        return numbers, codes


def target_column(config: Config, task: str) -> str | None:
    """The column that holds the labels of `task`; None where there is none."""
    return (config.tasks[task].target or task) if config.tasks[task].has_column else None


def input_columns(config: Config, frame: pd.DataFrame) -> list[str]:
    """The names of the input columns, in the order of the table.

    Default, and what patterns such as "room_*" may match: every column that is no target (of any task),
    split, group, weight or future column, and that no reconstruction hides. A target is an input only if
    `data.inputs` names it in full, the others never are.

    Raises RequestError for a pattern that matches nothing, and where `data.inputs` names a column of the future.
    """
    data, roles = config.data, _other_roles(config.data)
    future = future_columns(config, frame)
    hidden = {column for names in hidden_columns(config, frame).values() for column in names}
    reserved = set(roles) | {target_column(config, t) for t in config.tasks} | set(future) | hidden
    columns = [str(c) for c in frame.columns]
    free = [c for c in columns if c not in reserved]
    if data.inputs is None:
        if not free:
            raise RequestError(
                "data.inputs: no column is left beside targets, split, group, weight and future\n"
                f"columns: {listing(columns)}"
            )
        return free
    chosen: set[str] = set()
    for i, pattern in enumerate(data.inputs):
        found = [pattern] if pattern in columns else fnmatch.filter(free, pattern)
        named = found if pattern in columns else fnmatch.filter(columns, pattern)
        if late := next((c for c in named if c in future), None):
            raise RequestError(
                f"data.inputs[{i}]: {pattern!r} names {late}, which is not known when predicting, as "
                "data.future says\nname the inputs without it, or change data.future"
            )
        if not found:
            held_back = "matches only targets, split, group and weight columns; name a target in full"
            why = held_back if fnmatch.filter(columns, pattern) else f"matches no column{nearest(pattern, columns)}"
            raise RequestError(f"data.inputs[{i}]: {pattern!r} {why}\ncolumns: {listing(columns)}")
        chosen.update(found)
    inputs = [c for c in columns if c in chosen and c not in roles and c not in hidden]
    if not inputs:
        why = "only split, group and weight columns are named" if chosen else "the list is empty"
        why = "every column that is named is hidden by a reconstruction" if chosen & hidden else why
        raise RequestError(f"data.inputs: {why}\nallowed: some of {listing(free)}; null for all")
    return inputs


def future_columns(config: Config, frame: pd.DataFrame) -> list[str]:
    """The columns that `data.future` names, in the order of the table. Raises RequestError where there is none."""
    return _matching(config.data.future or [], frame, "data.future")


def hidden_columns(config: Config, frame: pd.DataFrame) -> dict[str, list[str]]:
    """The columns that each reconstruction of `columns` is about, whether it is trained or not, in the order of the
    table. Raises RequestError for one that is not there, or that has another role."""
    reserved = _other_roles(config.data)
    for name in config.tasks:
        if (column := target_column(config, name)) is not None:
            reserved |= {column: f"is the target of {name}"}
    found = {}
    for name, task in config.tasks.items():
        if task.columns is not None:
            key = f"tasks.{name}.columns"
            found[name] = _matching(task.columns, frame, key)
            if not found[name]:
                raise RequestError(f"{key}: the list is empty\nallowed: inputs, or patterns of them; null for all")
            for column in found[name]:
                if column in reserved:
                    raise RequestError(f"{key}: {column} {reserved[column]}\nallowed: other columns")
    return found


def _matching(patterns: Sequence[str], frame: pd.DataFrame, key: str) -> list[str]:
    """The columns of the table that are named in full or by a pattern, in its order."""
    columns = [str(c) for c in frame.columns]
    chosen: set[str] = set()
    for i, pattern in enumerate(patterns):
        found = [pattern] if pattern in columns else fnmatch.filter(columns, pattern)
        if not found:
            raise RequestError(
                f"{key}[{i}]: {pattern!r} matches no column{nearest(pattern, columns)}\ncolumns: {listing(columns)}"
            )
        chosen.update(found)
    return [c for c in columns if c in chosen]


def _other_roles(data: DataConfig) -> dict[str, str]:
    """The columns that are never inputs, with what they are there for."""
    roles = {
        data.weight: "holds the row weights",
        data.split.by: "holds the groups of the split",
        data.split.column: "says which part of the split a row is in",
    }
    return {column: role for column, role in roles.items() if column is not None}


def input_notes(config: Config, inputs: list[str]) -> list[str]:
    """A line for each column that `data.inputs` names and that is left out, and for each target among the inputs."""
    roles, targets = _other_roles(config.data), {target_column(config, t) for t in config.active}
    for name, task in config.tasks.items():
        roles |= {
            c: f"is for {name} to reconstruct"
            for c in config.data.inputs or []
            for pattern in task.columns or []
            if fnmatch.fnmatchcase(c, pattern)
        }
    named = [c for c in dict.fromkeys(config.data.inputs or []) if c in roles]
    notes = [f"{c}: left out of the inputs, as it {roles[c]}" for c in named]
    return notes + [f"{c} is a target and also among the inputs" for c in inputs if c in targets]


def input_spec(
    frame: pd.DataFrame, inputs: Sequence[str], most: int, hidden: Sequence[str] = ()
) -> tuple[InputSpec, list[str]]:
    """How `inputs` are read, and the columns that are `hidden` after them; notes of what was pooled."""
    columns, notes = [], []
    for name in [*inputs, *hidden]:
        series = frame[name]
        missing = bool(series.isna().any())
        if column_kind(series) == "text":
            counts = pd.Series(as_texts(series)[series.notna().to_numpy()]).value_counts()
            kept = sorted(counts.to_dict().items(), key=lambda item: (-item[1], str(item[0])))[:most]
            if pooled := len(counts) - len(kept):
                notes.append(f"{name}: {pooled} rare values pooled as unknown (data.max_categories={most})")
            names = sorted(str(k) for k, _ in kept)
            columns.append(InputColumn(name, "category", missing, names, hidden=name in hidden))
        else:
            where = f"data.inputs: column {name!r}"
            finite_numbers(series, where)  # raises where they are not
            date = column_kind(series) == "date"
            columns.append(InputColumn(name, "numeric", missing, date=date, hidden=name in hidden))
    return InputSpec(columns), notes


def finite_numbers(series: pd.Series, where: str, rows: np.ndarray | None = None) -> np.ndarray:
    """The column as float64 [N], NaN where missing. Text that spells numbers throughout is read as such.

    Raises RequestError with the first row that does not; `rows` `[N]` are their numbers in the table, None: all of it.
    """

    def row_of(bad: np.ndarray) -> int:
        at = int(np.argmax(bad))
        return 1 + (at if rows is None else int(rows[at]))

    if column_kind(series) == "text":
        raw = pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        odd = series.notna().to_numpy() & np.isnan(raw)
        if odd.any():
            found = series.iloc[int(np.argmax(odd))]
            raise RequestError(
                f"{where} holds text, such as {found!r} in row {row_of(odd)}\n"
                "allowed: numbers; mend the table or leave the column out"
            )
    else:
        raw = as_numbers(series)
    infinite = np.isinf(raw)
    if infinite.any():
        first = f"the first in row {row_of(infinite)}"
        raise RequestError(
            f"{where} holds {int(infinite.sum())} infinite values, {first}\n"
            "allowed: finite numbers, or nothing where the value is missing"
        )
    if np.nanmax(np.abs(raw), initial=0.0) > LARGEST:
        raise RequestError(f"{where} holds values as large as {np.nanmax(np.abs(raw)):g}\nallowed: up to {LARGEST:g}")
    return raw


def _days(series: pd.Series, where: str) -> np.ndarray:
    """A column of dates, or of text such as 2020-09-22, as days since 1970: float64 [N], NaN where missing."""
    kind, present = column_kind(series), series.notna().to_numpy()
    if kind == "text":
        dates = pd.to_datetime(series, format="ISO8601", errors="coerce", utc=True)
        odd = present & dates.isna().to_numpy()
    else:
        dates, odd = series, present & (kind != "date")
    if odd.any():
        row = int(np.argmax(odd))
        raise RequestError(
            f"{where} holds dates in training, but {series.iloc[row]!r} in row {row + 1}\n"
            "allowed: dates such as 2020-09-22, or nothing where the value is missing"
        )
    return as_numbers(dates)


def numeric_share(texts: Sequence[str], counts: np.ndarray) -> tuple[float, list[str]]:
    """The share of cells that spell a number, and the texts that spell none, the most frequent first.

    `texts` are the different texts of a column, `counts` how often each occurs, both [n].
    """
    numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").notna().to_numpy()
    order = np.argsort(-counts, kind="stable")
    return float(counts[numbers].sum() / counts.sum()), [str(texts[i]) for i in order if not numbers[i]]


def nearly_numbers(series: pd.Series) -> list[str]:
    """The different cells of a text column that spell no number, where nearly all others do; else none."""
    present = series.dropna()
    if column_kind(present) != "text":
        return []
    counts = present.value_counts()
    share, odd = numeric_share([str(v) for v in counts.index], counts.to_numpy())
    return odd if share >= NUMERIC_SHARE else []


def dates_as_text(series: pd.Series) -> bool:
    """Whether nearly all values of a text column are dates such as 2020-09-22, with or without a time."""
    present = series.dropna()
    if column_kind(present) != "text":
        return False
    values = pd.Series(present.unique()[:_DATES_READ]).astype(str)
    shaped = values[values.str.match(r"\d{4}-\d\d-\d\d")]
    dates = pd.to_datetime(shaped, format="ISO8601", errors="coerce", utc=True)
    return bool(dates.notna().sum() >= DATE_SHARE * len(values))
