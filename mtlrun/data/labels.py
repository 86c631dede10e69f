"""The labels of a task in the table (`raw_labels`, `observed_labels`), and those that a run learns from.

`train_labels`, `train_rows_of` and `shuffle` change only the labels of training rows; val and test keep the true
labels. `smooth` takes means within each part of the split, so that no label of another part enters a mean.
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
    """A table with the configuration, the split and the row weights [N] of a run. weight None: all weights are 1."""

    config: Config
    table: Table
    split: Split
    weight: np.ndarray | None

    def counted(self, observed: np.ndarray) -> np.ndarray:
        """Mask [N] of the observed labels whose row has a weight above 0. observed: mask [N]."""
        return observed if self.weight is None else observed & (self.weight > 0)


def label_source(name: str, task: TaskConfig) -> str:
    """The column or expression of the labels of a task, as text."""
    return task.expression or task.target or name


def raw_labels(name: str, task: TaskConfig, table: Table) -> pd.Series | None:
    """The labels of `task` in all rows of the table, from a column or an expression. None for a task without labels.

    An expression has no label in a row in which a column that it reads is missing, unless it contains null. Raises
    RequestError if the expression is invalid.
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
    """Mask [N] of the rows with a label of `task` in which `where` is true, independent of the split.

    A task that takes no labels from the table counts as labelled in every row. Raises RequestError if no row is left or
    if `where` is invalid.
    """
    key = f"tasks.{name}"
    labels = raw_labels(name, task, table)

    def make() -> np.ndarray:
        # copy, because pandas returns read-only arrays
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
    """The training rows from whose labels the task `name` learns: sorted row numbers.

    1. Take the training rows with a label and a weight above 0.
    2. Keep the rows that this function returns for the task `train_rows_of`.
    3. Keep `train_labels` random rows, drawn from (data.split.seed, name). A smaller number gives a subset of a larger.

    Raises RequestError if step 2 leaves no row, or if `train_labels` is larger than the number of rows.
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
    """The labels `values` [N] and the mask `observed` [N] that a run trains on.

    Without settings that change labels, the same arrays are returned. `smooth` replaces each label by a mean (see
    `smoothed`). Then `shuffle` permutes the labels of `labelled_rows` within the groups of `data.split.by`, with random
    numbers from (seed, name).

    Raises RequestError as `labelled_rows` and `smoothed` do, and for a shuffle if no group has two labels.
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
        source = order[np.argsort(members[order], kind="stable")]  # groups in the same order, rows shuffled in each
        changed[rows[place]] = values[rows[source]]
    return changed, observed


def smoothed(name: str, smooth: SmoothConfig, run: RunTable, values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """`values` [N] with each observed label replaced by the mean of its neighbours in the order of `smooth.over`.

    The rows of one part of the split (train, val or test) with a label and a weight above 0 are sorted by the column;
    equal rows keep the order of the table. The window of a row is the `smooth.window` rows centred on it, fewer at both
    ends. Means are not weighted. Rows without a label get 0.

    Raises RequestError if there is no such column, or if it is missing in a row with a label.
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
    """The configuration without the settings that change labels."""
    free = {
        n: dataclasses.replace(t, shuffle=False, train_labels=None, train_rows_of=None, smooth=None)
        for n, t in config.tasks.items()
    }
    return dataclasses.replace(config, tasks=free)


def controls(config: Config, name: str) -> list[str]:
    """The changes to the labels of a task, in words and in order."""
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
