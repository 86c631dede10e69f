"""Which labels of the training rows a task learns from, and in what order: `train_labels`, `train_rows_of`, `shuffle`.

Only the training rows of a run are touched; the labels of val and test stay the true ones.
"""

import dataclasses

import numpy as np

from mtlrun.config import Config, TaskConfig
from mtlrun.data.expression import condition
from mtlrun.data.split import Split, generator, row_groups
from mtlrun.data.table import Table
from mtlrun.errors import RequestError


def observed_labels(name: str, task: TaskConfig, table: Table) -> np.ndarray:
    """Which rows of the table have a label of `task`, whatever the split: the column has a value and `where` is true.

    Bool [N]. A task that has no column has one in every row in which `where` is true.
    Raises RequestError where no row has one, and where `where` cannot be read.
    """
    key = f"tasks.{name}"
    column = (task.target or name) if task.has_column else None

    def make() -> np.ndarray:
        # a copy, as pandas hands out read-only arrays
        observed = np.ones(len(table.frame), dtype=bool) if column is None else np.array(table.frame[column].notna())
        if task.where is not None:
            observed = observed & condition(task.where, table.frame, f"{key}.where")
        if not observed.any():
            empty = column is not None and not table.frame[column].notna().any()
            why = f"{column!r} is empty" if empty else f"no row with a label fulfils {task.where!r}"
            raise RequestError(f"{key}: has no label at all, {why}\nmend the table or `where`, or leave the task out")
        return observed

    return table.remember(("observed", name, column, task.where), make)


def labelled_rows(name: str, config: Config, table: Table, split: Split, weight: np.ndarray | None) -> np.ndarray:
    """The training rows from whose label the task `name` learns: row numbers, sorted.

    Those with a label and a weight above 0; of them those in which `train_rows_of` has one, by this same function;
    of them `train_labels` at random by (data.split.seed, name), fewer being a subset of more.

    Raises RequestError where `train_rows_of` leaves none and where `train_labels` asks for more than there are.
    """
    task, key = config.tasks[name], f"tasks.{name}"
    counted = observed_labels(name, task, table)[split.train]
    if weight is not None:
        counted = counted & (weight[split.train] > 0)
    rows = split.train[counted]
    if task.train_rows_of is not None:
        rows = np.intersect1d(rows, labelled_rows(task.train_rows_of, config, table, split, weight))
        if not len(rows):
            raise RequestError(f"{key}.train_rows_of: no row of train has a label of {name} and of "
                               f"{task.train_rows_of}\nleave it out ({key}.train_rows_of=null)")  # fmt: skip
    if task.train_labels is not None:
        if task.train_labels > len(rows):
            raise RequestError(
                f"{key}.train_labels: found {task.train_labels}\nallowed: at most {len(rows)}, the labels of train"
            )
        order = generator(config.data.split.seed or 0, f"train_labels {name}").permutation(len(rows))
        rows = np.sort(rows[order[: task.train_labels]])
    return rows


def training_labels(name: str, config: Config, table: Table, split: Split, weight: np.ndarray | None,
                    values: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """`values` [N] and `observed` [N] of a task as a run trains on them.

    They are handed back as they came, the same arrays, where nothing is asked for. `shuffle` permutes the labels among
    `labelled_rows`, within the groups of `data.split.by`, by (seed, name).

    Raises RequestError as `labelled_rows`, and for a shuffle within groups of one label each.
    """
    task = config.tasks[name]
    if not task.own_labels:
        return values, observed
    rows = labelled_rows(name, config, table, split, weight)
    if task.train_rows_of is not None or task.train_labels is not None:
        observed = observed.copy()
        observed[split.train] = False
        observed[rows] = True
    changed = np.where(observed, values, 0.0)
    if task.shuffle:
        groups = row_groups(table.frame, config.data.split.by)
        members = np.zeros(len(rows), dtype=np.int64) if groups is None else groups[rows]
        if len(np.unique(members)) == len(rows):
            raise RequestError(f"tasks.{name}.shuffle: no group of {config.data.split.by} has two labels in train\n"
                               f"leave it out (tasks.{name}.shuffle=false), or split otherwise")  # fmt: skip
        order = generator(config.seed, f"shuffle {name}").permutation(len(rows))
        place = np.argsort(members, kind="stable")
        source = order[np.argsort(members[order], kind="stable")]  # the same groups in the same order, each shuffled
        changed[rows[place]] = values[rows[source]]
    return changed, observed


def without_controls(config: Config) -> Config:
    """The same configuration with all labels where they are in the table."""
    free = {n: dataclasses.replace(t, shuffle=False, train_labels=None, train_rows_of=None)
            for n, t in config.tasks.items()}  # fmt: skip
    return dataclasses.replace(config, tasks=free)


def controls(config: Config, name: str) -> list[str]:
    """What was done to the training labels of a task, in words, in the order in which it was done."""
    task, by = config.tasks[name], config.data.split.by
    words = []
    if task.train_rows_of is not None:
        words.append(f"only labels of train in rows with one of {task.train_rows_of}")
    if task.train_labels is not None:
        words.append(f"{task.train_labels:,} labels of train kept at random")
    if task.shuffle:
        words.append("labels of train shuffled" + (f" within the groups of {by}" if by is not None else ""))
    return words
