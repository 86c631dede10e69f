"""The labels of a task as the table has them (`raw_labels`, `observed_labels`), and as a run learns from them.

`train_labels`, `train_rows_of` and `shuffle` touch the training rows alone; the labels of val and test stay the true
ones. `smooth` takes means within each part of the split, so that no label of another part comes into them.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtlrun.config.schema import Config, SmoothConfig, TaskConfig
from mtlrun.data.columns import finite_numbers
from mtlrun.data.expression import condition, parse
from mtlrun.data.split import Split, generator, require_column, row_groups
from mtlrun.data.table import Table
from mtlrun.util.errors import RequestError


@dataclass(frozen=True)
class RunTable:
    """A table as a run sees it: with its configuration, its split, and the row weights [N] (None: all count 1)."""

    config: Config
    table: Table
    split: Split
    weight: np.ndarray | None

    def counted(self, observed: np.ndarray) -> np.ndarray:
        """Those of the observed labels [N] whose row has a weight above 0."""
        return observed if self.weight is None else observed & (self.weight > 0)


def label_source(name: str, task: TaskConfig) -> str:
    """The column or the expression that the labels of a task come from."""
    return task.expression or task.target or name


def raw_labels(name: str, task: TaskConfig, table: Table) -> pd.Series | None:
    """The labels of `task` in all rows of the table, missing where there is none: a column, or an expression's value.

    An expression has none in a row where a column that it reads is missing, unless it asks about null. None for a task
    that has no labels. Raises RequestError where the expression cannot be read.
    """
    if not task.has_labels:
        return None
    if task.expression is None:
        return table.frame[task.target or name]
    text = task.expression

    def make() -> pd.Series:
        expression = parse(text, f"tasks.{name}.expression")
        values = pd.Series(expression.evaluate(table.frame))
        known = expression.known(table.frame)
        return values if known.all() else values.astype(object).where(known).infer_objects()

    return table.remember(("expression", text), make)


def observed_labels(name: str, task: TaskConfig, table: Table) -> np.ndarray:
    """Which rows of the table have a label of `task`, whatever the split: the column has a value and `where` is true.

    Bool [N]. A task that has no column has one in every row in which `where` is true.
    Raises RequestError where no row has one, and where `where` cannot be read.
    """
    key = f"tasks.{name}"
    labels = raw_labels(name, task, table)

    def make() -> np.ndarray:
        # a copy, as pandas hands out read-only arrays
        observed = np.ones(len(table.frame), dtype=bool) if labels is None else np.array(labels.notna())
        if task.where is not None:
            observed = observed & condition(task.where, table.frame, f"{key}.where")
        if not observed.any():
            empty = labels is not None and not labels.notna().any()
            why = f"{label_source(name, task)!r} is empty" if empty else f"no row with a label fulfils {task.where!r}"
            raise RequestError(f"{key}: has no label at all, {why}\nmend the table or `where`, or leave the task out")
        return observed

    source = (name, task.target, task.expression) if task.has_labels else None
    return table.remember(("observed", source, task.where), make)


def labelled_rows(name: str, run: RunTable) -> np.ndarray:
    """The training rows from whose label the task `name` learns: row numbers, sorted.

    Those with a label and a weight above 0; of them those in which `train_rows_of` has one, by this same function;
    of them `train_labels` at random by (data.split.seed, name), fewer being a subset of more.

    Raises RequestError where `train_rows_of` leaves none and where `train_labels` asks for more than there are.
    """
    task, key = run.config.tasks[name], f"tasks.{name}"
    train = run.split.train
    rows = train[run.counted(observed_labels(name, task, run.table))[train]]
    if task.train_rows_of is not None:
        rows = np.intersect1d(rows, labelled_rows(task.train_rows_of, run))
        if not len(rows):
            raise RequestError(
                f"{key}.train_rows_of: no row of train has a label of {name} and of "
                f"{task.train_rows_of}\nleave it out ({key}.train_rows_of=null)"
            )
    if task.train_labels is not None:
        if task.train_labels > len(rows):
            raise RequestError(
                f"{key}.train_labels: found {task.train_labels}\nallowed: at most {len(rows)}, the labels of train"
            )
        order = generator(run.config.data.split.seed or 0, f"train_labels {name}").permutation(len(rows))
        rows = np.sort(rows[order[: task.train_labels]])
    return rows


def training_labels(
    name: str, run: RunTable, values: np.ndarray, observed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`values` [N] and `observed` [N] of a task as a run trains on them.

    They are handed back as they came, the same arrays, where nothing is asked for. `smooth` replaces each label by a
    mean (see `smoothed`), then `shuffle` permutes those of training rows among `labelled_rows`, within the groups of
    `data.split.by`, by (seed, name).

    Raises RequestError as `labelled_rows` and `smoothed`, and for a shuffle within groups of one label each.
    """
    task, config = run.config.tasks[name], run.config
    if not task.own_labels:
        return values, observed
    rows = labelled_rows(name, run)
    if task.train_rows_of is not None or task.train_labels is not None:
        observed = observed.copy()
        observed[run.split.train] = False
        observed[rows] = True
    changed = np.where(observed, values, 0.0)
    if task.smooth is not None:
        values = smoothed(name, task.smooth, run, values, observed)
        changed = values.copy()
    if task.shuffle:
        groups = row_groups(run.table.frame, config.data.split.by)
        members = np.zeros(len(rows), dtype=np.int64) if groups is None else groups[rows]
        if len(np.unique(members)) == len(rows):
            raise RequestError(
                f"tasks.{name}.shuffle: no group of {config.data.split.by} has two labels in train\n"
                f"leave it out (tasks.{name}.shuffle=false), or split otherwise"
            )
        order = generator(config.seed, f"shuffle {name}").permutation(len(rows))
        place = np.argsort(members, kind="stable")
        source = order[np.argsort(members[order], kind="stable")]  # the same groups in the same order, each shuffled
        changed[rows[place]] = values[rows[source]]
    return changed, observed


def smoothed(name: str, smooth: SmoothConfig, run: RunTable, values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """`values` [N] with each observed label replaced by the mean of those nearest in the order of `smooth.over`.

    A row's window are the `smooth.window` rows around it, itself in the middle, fewer at both ends, of the rows of the
    same part of the split (train, val or test) that have a label and a weight above 0; rows that are equal in the
    column are in the table's order. Means are not weighted. 0 where nothing is observed.

    Raises RequestError where there is no such column, or where it has no number in a row with a label.
    """
    key = f"tasks.{name}.smooth.over"
    frame = run.table.frame
    require_column(smooth.over, frame, key)
    order = finite_numbers(frame[smooth.over], f"{key}: column {smooth.over!r}")
    counted = run.counted(observed)
    if np.isnan(order[counted]).any():
        missing = int(np.isnan(order[counted]).sum())
        raise RequestError(
            f"{key}: column {smooth.over!r} is missing in {missing} rows with a label of {name}\n"
            f"leave them out: tasks.{name}.where='{smooth.over} != null'"
        )
    result = np.where(observed, values, 0.0)
    half = min(smooth.window // 2, len(values))
    for rows in run.split.parts().values():
        members = rows[counted[rows]]
        members = members[np.argsort(order[members], kind="stable")]
        means = pd.Series(values[members]).rolling(2 * half + 1, center=True, min_periods=1).mean()
        result[members] = means.to_numpy()
    return result


def without_controls(config: Config) -> Config:
    """The same configuration with all labels as they are in the table."""
    free = {
        n: dataclasses.replace(t, shuffle=False, train_labels=None, train_rows_of=None, smooth=None)
        for n, t in config.tasks.items()
    }
    return dataclasses.replace(config, tasks=free)


def controls(config: Config, name: str) -> list[str]:
    """What was done to the labels of a task, in words, in the order in which it was done."""
    task, by = config.tasks[name], config.data.split.by
    words = []
    if task.train_rows_of is not None:
        words.append(f"only labels of train in rows with one of {task.train_rows_of}")
    if task.train_labels is not None:
        words.append(f"{task.train_labels:,} labels of train kept at random")
    if (smooth := task.smooth) is not None:
        words.append(f"means of {smooth.window} labels in the order of {smooth.over}, within train, val and test")
    if task.shuffle:
        words.append("labels of train shuffled" + (f" within the groups of {by}" if by is not None else ""))
    return words
