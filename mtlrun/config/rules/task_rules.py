"""Rules about tasks: single tasks, relations between tasks, and the trained tasks."""

from collections.abc import Callable, Mapping
from itertools import pairwise

from mtlrun.config.schema import Config, TaskConfig
from mtlrun.config.values import require_task
from mtlrun.util.errors import RequestError, listing, nearest

# ---------------------------------------------------------------- one task


def type_allows(name: str, task: TaskConfig) -> None:
    """The task type allows the role and the settings, and has the function that `target` names."""
    declared, plain, key = task.declared, TaskConfig(), f"tasks.{name}"
    if declared is None:
        return
    if task.role not in declared.roles:
        raise RequestError(
            f"{key}.role: found {task.role}, and {key}.type is {task.type}\nallowed: {listing(declared.roles)}"
        )
    for setting in declared.without:
        if getattr(task, setting) != getattr(plain, setting):
            raise RequestError(f"{key}.{setting}: {declared.because}\nremove it: '~{key}.{setting}'")
    target = task.target or name
    if declared.functions and target not in declared.functions:
        raise RequestError(
            f"{key}.target: no {task.type} is named {target!r}{nearest(target, declared.functions)}\n"
            f"allowed: {listing(declared.functions)}"
        )


def one_source(name: str, task: TaskConfig) -> None:
    """Labels come from a column or from an expression, not from both."""
    key = f"tasks.{name}"
    if task.expression is not None and task.target is not None:
        raise RequestError(
            f"{key}.expression: found {task.expression!r}, and {key}.target is {task.target!r}\n"
            f"remove one of them: '~{key}.expression', or '~{key}.target'; an expression may name "
            "columns"
        )


def columns(name: str, task: TaskConfig) -> None:
    """Only a reconstruction has `columns`."""
    key = f"tasks.{name}"
    if task.columns is not None and not task.reads_inputs:
        raise RequestError(
            f"{key}.columns: says what a reconstruction is about, and {key}.type is {task.type}\n"
            f"set {key}.type=reconstruction, or '~{key}.columns'"
        )


def bins(name: str, task: TaskConfig) -> None:
    """`bins` is at least 2, or a list of increasing edges, for a task that has classes."""
    key, found = f"tasks.{name}", task.bins
    if found is None:
        return
    if task.declared is not None and task.declared.has_numbers:
        raise RequestError(
            f"{key}.bins: makes classes, and {key}.type is {task.type}\nset {key}.type=categorical, or '~{key}.bins'"
        )
    if task.smooth is not None:
        raise RequestError(
            f"{key}.bins: makes classes, and {key}.smooth gives numbers\n"
            f"remove one of them: '~{key}.bins', or '~{key}.smooth'"
        )
    if isinstance(found, int) and found < 2:
        raise RequestError(f"{key}.bins: found {found}\nallowed: a whole number from 2, or a list of inner edges")
    if isinstance(found, list) and (not found or any(b <= a for a, b in pairwise(found))):
        raise RequestError(f"{key}.bins: found {found}\nallowed: inner edges that increase: [10, 20]")


def smooth(name: str, task: TaskConfig) -> None:
    """Smoothed labels are means of numbers, over an odd number of rows."""
    key = f"tasks.{name}"
    if task.smooth is None:
        return
    if task.declared is not None and not task.declared.averages:
        raise RequestError(
            f"{key}.smooth: means of numbers, and {key}.type is {task.type}\nallowed with it: {key}.type=regression"
        )
    if task.smooth.window % 2 == 0:
        raise RequestError(
            f"{key}.smooth.window: found {task.smooth.window}\n"
            "allowed: an odd number, so that a row stands in the middle of its window"
        )


def discard(name: str, task: TaskConfig) -> None:
    """A discarded task is not a main task."""
    if task.discard and task.main:
        raise RequestError(
            f"tasks.{name}.discard: found true, and tasks.{name}.role is main\n"
            f"set tasks.{name}.role=auxiliary, or tasks.{name}.discard=false"
        )


ONE_TASK: tuple[Callable[[str, TaskConfig], None], ...] = (
    type_allows,
    one_source,
    columns,
    bins,
    smooth,
    discard,
)


# ---------------------------------------------------------------- relations between tasks


def related(tasks: Mapping[str, TaskConfig]) -> None:
    """Raises RequestError if `train_rows_of` or `head` of a task names a task that is not allowed there."""
    for name, task in tasks.items():
        _rows_of(name, task.train_rows_of, tasks)
        if task.head is not None:
            _head(name, task, task.head, tasks)


def _rows_of(name: str, other: str | None, tasks: Mapping[str, TaskConfig]) -> None:
    """Raises RequestError if `train_rows_of` names an unknown task or leads back to the task itself."""
    passed = [name]
    while other is not None:
        require_task(other, tasks, f"tasks.{passed[-1]}.train_rows_of")
        passed.append(other)
        if other == name:
            raise RequestError(
                f"tasks.{name}.train_rows_of: goes in a circle, {' -> '.join(passed)}\nallowed: another task, or null"
            )
        # a circle of other tasks is reported when one of them is checked
        other = tasks[other].train_rows_of if passed.count(other) == 1 else None


def _head(name: str, task: TaskConfig, other: str, tasks: Mapping[str, TaskConfig]) -> None:
    """Raises RequestError if `other`, whose head the task uses, has no separate head or has another type."""
    key = f"tasks.{name}.head"
    require_task(other, tasks, key)
    if other == name or tasks[other].head is not None:
        raise RequestError(f"{key}: {other} has no head of its own\nallowed: a task with one, or null")
    if task.type is None or task.type != tasks[other].type:
        raise RequestError(
            f"{key}: {other} has type {tasks[other].type}, {name} {task.type}\n"
            f"give both the same: tasks.{name}.type, tasks.{other}.type"
        )


# ---------------------------------------------------------------- the trained tasks


def absent_heads(config: Config) -> list[str]:
    """Returns notes on tasks whose `head` names a task that is not trained."""
    active = config.active
    return [
        f"tasks.{name}.head: {task.head} is left out by `only`, so {name} has a head of its own"
        for name, task in active.items()
        if task.head is not None and task.head not in active
    ]


def discarded_heads(config: Config) -> None:
    """A task that is kept does not use the head of a discarded task."""
    active = config.active
    for name, task in active.items():
        if task.head in active and active[task.head].discard and not task.discard:
            raise RequestError(
                f"tasks.{task.head}.discard: {name} has its head, also when the run predicts\n"
                f"set tasks.{task.head}.discard=false, or tasks.{name}.head=null"
            )
