"""Loads the arrays of a run from a checked configuration: inputs, targets, weights, split."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mtlrun.config.schema import Config, DataConfig
from mtlrun.data.columns import MISSING, UNKNOWN, InputColumn, InputSpec, finite_numbers, input_spec
from mtlrun.data.doubts import class_text
from mtlrun.data.expected_rows import expected_training_rows
from mtlrun.data.labels import RunTable
from mtlrun.data.paths import resolve_path
from mtlrun.data.reading import ColumnReading, Reading, declared
from mtlrun.data.roles import column_roles, input_notes, target_column
from mtlrun.data.split import PARTS, Split, require_column, split_rows
from mtlrun.data.table import Table, load_tables
from mtlrun.data.targets import Target, make_target, target_notes
from mtlrun.data.words import word_notes
from mtlrun.storage import summary
from mtlrun.tasks import type_of
from mtlrun.util.errors import RequestError, data_row, listing


@dataclass(frozen=True)
class Dataset:
    """Everything that a run reads: the inputs and targets of all N rows, and the split.

    reading: how the cells of the table were read, and with them those of every later file.
    """

    spec: InputSpec
    numeric: np.ndarray  # [N, Dn] float64
    codes: np.ndarray  # [N, Dc] int32
    targets: dict[str, Target]  # of the active tasks, in the order of the configuration
    weight: np.ndarray | None  # [N] float32
    split: Split
    hash: str
    notes: list[str]
    reconstructed: dict[str, list[str]] = field(default_factory=dict)  # task -> the columns that a reconstruction names
    reading: Reading = field(default_factory=Reading)

    @property
    def primary(self) -> dict[str, str]:
        """Task -> its primary metric."""
        return {name: target.primary for name, target in self.targets.items()}

    def cells(self) -> list[tuple[InputColumn, np.ndarray]]:
        """Each column of `spec` with its cells [N]: numbers float64, codes of a category int32.

        Of a date it is the number of days; sine and cosine are left out.
        """
        numbers, codes = (self.numeric[:, p.start] for p in self.spec.places), iter(self.codes.T)
        return [(column, next(codes if column.is_category else numbers)) for column in self.spec.columns]

    def trainable(self, tasks: Iterable[str] | None = None) -> np.ndarray:
        """`labelled` as a mask over `split.train`."""
        return self.labelled(tasks)[self.split.train]

    def labelled(self, tasks: Iterable[str] | None = None) -> np.ndarray:
        """Mask [N] of the rows with weight above 0 and a label of any of the tasks (None: all tasks)."""
        names = self.targets if tasks is None else tasks
        labelled = np.stack([self.targets[name].observed for name in names], 1).any(1)
        if self.weight is not None:
            labelled &= self.weight > 0
        return np.asarray(labelled)

    def classes(self) -> dict[str, int]:
        """The number of classes of each task: 0 for numbers, the number of outputs for a reconstruction."""
        return {
            name: self.reconstructed_width(name) if type_of(target.type).reads_inputs else len(target.classes)
            for name, target in self.targets.items()
        }

    def reconstructed_width(self, task: str) -> int:
        """The number of outputs of a reconstruction: the width of all inputs, or of the columns that it names."""
        names = self.reconstructed.get(task)
        return self.spec.width if names is None else sum(c.width for c in self.spec.columns if c.name in names)


def load_dataset(config: Config) -> Dataset:
    """Loads the data of a run. The runs of a process share arrays: do not write to them.

    Raises RequestError if the table is wrong or does not fit the tasks.
    """
    table, files = load_table(config)
    frame = table.frame
    for name in config.tasks:
        column = target_column(config, name)
        if column is not None:
            require_column(column, frame, f"tasks.{name}.target")
    split = split_rows(frame, config.data.split, config.data.train_rows, files)
    roles = column_roles(config, frame)
    # columns of tasks that are not trained are hidden too, so that a first stage has the same columns
    hidden = tuple(dict.fromkeys(c for names in roles.hidden.values() for c in names))
    reconstructed = {name: columns for name, columns in roles.hidden.items() if name in config.active}
    most, old = config.data.max_categories, config.data.reading == "0.1"
    key = (tuple(roles.inputs), hidden, most, old)
    spec, pooled = table.remember(
        ("spec", *key), lambda: input_spec(table.columns, roles.inputs, most, hidden, not old)
    )
    numeric, codes = table.remember(("arrays", *key), lambda: spec.transform(table.columns))
    spec = replace(spec, embedding=config.net.embedding_for(expected_training_rows(config.data, split, len(frame))))
    weight = _weight(config.data.weight, table, split)
    run = RunTable(config, table, split, weight)
    targets = {name: make_target(name, run) for name in config.active}
    used = [*roles.inputs, *(c for t in config.active if (c := target_column(config, t)) is not None)]
    notes = word_notes(table.words, table.reading, dict.fromkeys(used))
    notes += input_notes(config, roles.inputs) + pooled + [n for t in targets.values() for n in target_notes(t)]
    dataset = Dataset(spec, numeric, codes, targets, weight, split, table.digest, notes, reconstructed, table.reading)
    notes += _unlabelled(targets, split) + _unseen_categories(dataset) + unseen_classes(targets, split)
    notes += _one_value(targets, split)
    return dataset


RESTORE = "restore the file and go on, or begin anew in another folder"


def require_unchanged(data: DataConfig, digest: str, recorded: str | None, since: str, mend: str = RESTORE) -> None:
    """Raises RequestError if the table with this digest is not the recorded one. recorded None: not known.

    since, mend: the end of the message: when the recorded table was read, and what to do
    """
    if recorded is not None and digest != recorded:
        raise RequestError(f"data.path: {data.path} has changed since {since}\n{mend}")


def load_table(config: Config) -> tuple[Table, np.ndarray | None]:
    """The table, and with `data.split.files` the part of each row (0 train, 1 val, 2 test), else None."""
    data = config.data
    named = {"data.path": data.path} | {f"data.split.files.{p}": f for p, f in (data.split.files or {}).items()}
    paths = [resolve_path(path, key) for key, path in named.items()]
    given, old = _reading_taken_over(config) | declared(data), data.reading == "0.1"
    table = load_tables(paths, list(named), given, data.missing, old, data.separator)
    for name in data.columns or ():
        require_column(name, table.frame, f"data.columns.{name}")
    if data.split.files is None:
        return table, None
    return table, np.repeat([0, *(PARTS.index(p) for p in data.split.files)], table.lengths)


def _reading_taken_over(config: Config) -> dict[str, ColumnReading]:
    """How the run of `model.init_from` has read its columns, because its trunk was trained on them. Empty without one.

    The targets of this run are its own.
    """
    if config.net.init_from is None:
        return {}
    stored = (summary.read(Path(config.net.init_from)) or {}).get("reading")
    targets = {target_column(config, task) for task in config.tasks}
    read = {} if stored is None else Reading.from_plain(stored).columns
    return {name: column for name, column in read.items() if name not in targets}


def _weight(column: str | None, table: Table, split: Split) -> np.ndarray | None:
    if column is None:
        return None
    require_column(column, table.frame, "data.weight")

    def make() -> np.ndarray:
        weight = finite_numbers(table.frame[column], f"data.weight: column {column!r}").astype(np.float32)
        bad = ~(np.isfinite(weight) & (weight >= 0))
        if bad.any():
            row = int(np.argmax(bad))
            found = table.frame[column].iloc[row]
            raise RequestError(
                f"data.weight: column {column!r} holds {found} in {data_row(row)}\n"
                "allowed: finite numbers from 0, in every row"
            )
        return weight

    weight = table.remember(("weight", column), make)
    for part, rows in split.parts().items():
        if len(rows) and not (weight[rows] > 0).any():
            raise RequestError(f"data.weight: column {column!r} is 0 in all of {part}\nallowed: some weight above 0")
    return weight


def _unlabelled(targets: dict[str, Target], split: Split) -> list[str]:
    notes = []
    labelled = np.logical_or.reduce([t.observed for t in targets.values()])
    for part, rows in split.parts().items():
        without = int((~labelled[rows]).sum())
        if without:
            notes.append(f"{without} of {len(rows)} {part} rows have no label of any task")
        for target in targets.values():
            if len(rows) and not target.observed[rows].any():
                notes.append(f"{target.task} has no label in {part}")
    return notes


def _one_value(targets: dict[str, Target], split: Split) -> list[str]:
    """Notes on parts of the split in which a metric is undefined, because all labels of a task are the same."""
    notes = []
    for target in targets.values():
        undefined = [name for name, metric in type_of(target.type).metrics.items() if metric.needs_variation]
        for part in ("val", "test"):
            labels = target.labels(split.parts()[part])
            if undefined and len(labels) and labels.min() == labels.max():
                value = class_text(target.classes[int(labels[0])]) if target.classes else f"{labels[0]:g}"
                missing = f"so there is no {listing(undefined)} there; try a larger part, or another data.split"
                notes.append(f"{target.task}: all {len(labels)} labels of {part} are {value}, {missing}")
    return notes


def _unseen_categories(dataset: Dataset) -> list[str]:
    """A note on the text columns with values of which train has no row, and the number of such rows in val and test."""
    found, split = [], dataset.split
    for column, codes in zip(dataset.spec.category, dataset.codes.T, strict=True):
        unseen = np.ones(len(column.categories) + 2, dtype=bool)  # the last two entries are for the codes -2 and -1
        unseen[codes[split.train]] = False
        unseen[[MISSING, UNKNOWN]] = False
        val, test = (int(unseen[codes[rows]].sum()) for rows in (split.val, split.test))
        if val or test:
            found.append(f"{column.name} {val:,} and {test:,}")
    return [f"val and test rows whose value no train row has, treated as unknown: {listing(found, 6)}"] if found else []


def unseen_classes(targets: dict[str, Target], split: Split) -> list[str]:
    """A line for each target with classes of which no training row has a label."""
    notes = []
    for target in targets.values():
        if not target.classes:
            continue
        labels = target.values[split.train][target.observed[split.train]]
        unseen = np.setdiff1d(np.arange(len(target.classes)), labels.astype(np.int64))
        if len(unseen):
            names = listing(class_text(target.classes[i]) for i in unseen)
            notes.append(
                f"{target.task}: train has no label of {names}, so the model cannot learn it: split otherwise "
                "(data.split.by, data.split.seed), or leave these rows out"
            )
    return notes
