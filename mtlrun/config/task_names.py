"""Names of tasks: which are allowed, and the name that a column gets."""

import re
from collections.abc import Collection
from typing import Any

import yaml

from mtlrun.config.schema import OVER_TASKS
from mtlrun.util.errors import RequestError, listing
from mtlrun.util.shell import override, quoted

LEGAL = re.compile(r"[A-Za-z_]\w*\Z")
RESERVED = ("trunk", "default")  # keys of graph.receives.TASK and of lr.heads


def require_task_name(name: Any) -> None:
    """Raises RequestError unless `name` may be the name of a task. The message proposes one."""
    if isinstance(name, str) and LEGAL.match(name) and name not in RESERVED:
        return
    allowed = f"letters, digits and _ with no digit first, but not {listing(RESERVED)}"
    if not isinstance(name, str):
        raise RequestError(
            f"tasks.{name}: no name for a task: on, yes, true, off, no, false, null and nan are read as values\n"
            "write the name in quotes in a YAML, and as tasks.NAME.type=... on the command line"
        )
    free = task_name(name)
    raise RequestError(
        f"tasks.{name}: no name for a task\n"
        f"allowed: {allowed}; name the column apart: {override(f'tasks.{free}.target', name)}"
    )


def require_unambiguous(names: Collection[str]) -> None:
    """Raises RequestError for a task with the name of a score, because `trainer.select` could mean either.

    Only new requests are checked: a stored run with such a name stays readable.
    """
    for name in names:
        if name in OVER_TASKS:
            free = task_name(name, names)
            raise RequestError(
                f"tasks.{name}: no name for a task, as trainer.select={name} has a meaning of its own\n"
                f"name it otherwise, and the column apart: tasks.{free}.target={name}"
            )


def no_name_in(key: str, value: str) -> str | None:
    """What to type for `tasks.NAME.SETTING=value` with a NAME that the command line cannot hold; None if it can."""
    path = key.lstrip("+~").removeprefix("tasks.")
    if path == key.lstrip("+~"):
        return None
    name, _, setting = path.rpartition(".")
    name = (name or path).strip("'\"")
    if LEGAL.match(name) and name.isascii():
        return None
    free = task_name(name)
    words = override(f"tasks.{free}.target", name)
    if setting and setting != "target" and value:
        words += f" {quoted(f'tasks.{free}.{setting}={value}')}"
    return f"{name!r} cannot be the name of a task on the command line\nname the column apart: {words}"


def task_name(column: str, taken: Collection[str] = ()) -> str:
    """A free task name for a column: the column name if it is legal, else a cleaned name."""
    name = column
    if not LEGAL.match(name) or not name.isascii():
        name = re.sub(r"\W+", "_", column, flags=re.ASCII).strip("_") or "task"
        name = name if not name[0].isdigit() else f"task_{name}"
    if name in (*RESERVED, *OVER_TASKS) or yaml.safe_load(name) != name:  # YAML does not read `on` as text
        name = f"{name}_task"
    unique, n = name, 2
    while unique in taken:
        unique, n = f"{name}_{n}", n + 1
    return unique
