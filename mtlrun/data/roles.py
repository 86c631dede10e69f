"""The role of each column of a table: input, target, hidden, future, weight, group or split."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mtlrun.config.schema import Config, DataConfig
from mtlrun.util.errors import RequestError, listing, nearest


@dataclass(frozen=True)
class Roles:
    """Column names, in the order of the table.

    inputs: the columns that the network reads
    hidden: task -> the columns that a reconstruction names; they are encoded, but the network does not read them
    """

    inputs: list[str]
    hidden: dict[str, list[str]]


def column_roles(config: Config, frame: pd.DataFrame) -> Roles:
    """The inputs and the hidden columns of a table. They do not depend on which tasks are trained.

    By default, the inputs are all columns that are not a target of any task, a split, group, weight or future column,
    or hidden by a reconstruction. Patterns such as "room_*" match only these columns. A target is an input only if
    `data.inputs` names it in full; the other excluded columns never are.

    Raises RequestError for a pattern that matches nothing, and if no input is left.
    """
    future, hidden = future_columns(config, frame), _hidden_columns(config, frame)
    never = set(_other_roles(config.data)) | {column for names in hidden.values() for column in names}
    reserved = never | {target_column(config, t) for t in config.tasks} | set(future)
    columns = [str(c) for c in frame.columns]
    free = [c for c in columns if c not in reserved]
    if config.data.inputs is None:
        if not free:
            raise RequestError(
                "data.inputs: no column is left beside targets, split, group, weight and future\n"
                f"columns: {listing(columns)}"
            )
        return Roles(free, hidden)
    chosen: set[str] = set()
    for i, pattern in enumerate(config.data.inputs):
        chosen.update(_chosen(pattern, f"data.inputs[{i}]", columns, free, future))
    never.update(future)
    inputs = [c for c in columns if c in chosen and c not in never]
    if not inputs:
        why = "only split, group and weight columns are named" if chosen else "the list is empty"
        if any(chosen.intersection(names) for names in hidden.values()):
            why = "every column that is named is hidden by a reconstruction"
        elif chosen.intersection(future):
            why = "data.future names every column that is left"
        raise RequestError(f"data.inputs: {why}\nallowed: some of {listing(free)}; null for all")
    return Roles(inputs, hidden)


def _chosen(pattern: str, key: str, columns: list[str], free: list[str], future: list[str]) -> list[str]:
    """The columns that an entry of `data.inputs` selects: one named in full, or the free and future ones of several."""
    named = _matching(pattern, columns)
    found = named if pattern in columns else [c for c in named if c in free or c in future]
    if not found:
        held_back = "matches only targets, split, group and weight columns; name a target in full"
        why = held_back if named else f"matches no column{nearest(pattern, columns)}"
        raise RequestError(f"{key}: {pattern!r} {why}\ncolumns: {listing(columns)}")
    return found


def target_column(config: Config, task: str) -> str | None:
    """The column that holds the labels of `task`, or None."""
    return (config.tasks[task].target or task) if config.tasks[task].has_column else None


def future_columns(config: Config, frame: pd.DataFrame) -> list[str]:
    """The columns that `data.future` names, in the order of the table. Raises RequestError if an entry matches none."""
    return _all_matching(config.data.future or [], frame, "data.future")


def _hidden_columns(config: Config, frame: pd.DataFrame) -> dict[str, list[str]]:
    """Task -> the columns that a reconstruction names, in the order of the table, also for tasks that are not trained.

    Raises RequestError for a column that does not exist or has another role.
    """
    reserved = _other_roles(config.data)
    for name in config.tasks:
        if (column := target_column(config, name)) is not None:
            reserved |= {column: f"is the target of {name}"}
    hidden = {}
    for name, task in config.tasks.items():
        if task.columns is not None:
            key = f"tasks.{name}.columns"
            hidden[name] = _all_matching(task.columns, frame, key)
            if not hidden[name]:
                raise RequestError(f"{key}: the list is empty\nallowed: inputs, or patterns of them; null for all")
            for column in hidden[name]:
                if column in reserved:
                    raise RequestError(f"{key}: {column} {reserved[column]}\nallowed: other columns")
    return hidden


def _all_matching(patterns: Sequence[str], frame: pd.DataFrame, key: str) -> list[str]:
    """The columns of the table that are named in full or by a pattern, in the order of the table."""
    columns = [str(c) for c in frame.columns]
    chosen: set[str] = set()
    for i, pattern in enumerate(patterns):
        found = _matching(pattern, columns)
        if not found:
            raise RequestError(
                f"{key}[{i}]: {pattern!r} matches no column{nearest(pattern, columns)}\ncolumns: {listing(columns)}"
            )
        chosen.update(found)
    return [c for c in columns if c in chosen]


def _matching(pattern: str, columns: list[str]) -> list[str]:
    """The column with exactly this name, else all columns that the pattern matches."""
    return [pattern] if pattern in columns else fnmatch.filter(columns, pattern)


def _other_roles(data: DataConfig) -> dict[str, str]:
    """Columns that are never inputs -> their role in words."""
    roles = {
        data.weight: "holds the row weights",
        data.split.by: "holds the groups of the split",
        data.split.column: "says which part of the split a row is in",
    }
    return {column: role for column, role in roles.items() if column is not None}


def input_notes(config: Config, inputs: list[str]) -> list[str]:
    """A line for each column in `data.inputs` that is left out, and for each target among the inputs."""
    roles, targets = _other_roles(config.data), {target_column(config, t) for t in config.active}
    for name, task in config.tasks.items():
        roles |= {
            c: f"is for {name} to reconstruct"
            for c in config.data.inputs or []
            for pattern in task.columns or []
            if fnmatch.fnmatchcase(c, pattern)
        }
    for c in config.data.inputs or []:
        if any(c == pattern or fnmatch.fnmatchcase(c, pattern) for pattern in config.data.future or []):
            roles[c] = "is not known when predicting (data.future)"
    named = [c for c in dict.fromkeys(config.data.inputs or []) if c in roles]
    notes = [f"{c}: left out of the inputs, as it {roles[c]}" for c in named]
    says = (
        "is a target and also among the inputs: the model may copy it; if it is not known when predicting, leave it out"
    )
    return notes + [f"{c} {says} of data.inputs" for c in inputs if c in targets]
