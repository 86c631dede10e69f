"""Small problems in memory, for tests that need no files."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtlrun.config.check import check
from mtlrun.config.schema import Config
from mtlrun.data.columns import InputColumn, InputSpec
from mtlrun.data.dataset import Dataset
from mtlrun.data.labels import RunTable, training_labels
from mtlrun.data.reading import Reading
from mtlrun.data.split import Split
from mtlrun.data.table import Table
from mtlrun.data.targets import Target
from mtlrun.engine.member import Member
from mtlrun.engine.stack import Stack
from mtlrun.runs.build import build_stack
from mtlrun.runs.reporting import Display, RunLogs
from mtlrun.runs.stack_of_runs import StackOfRuns
from mtlrun.runs.stack_training import train_stack
from mtlrun.tasks import type_of

# What a child process needs to train as this process does, see `conftest.PLAIN`.
PLAIN_WORDS = ["model=mlp", "optimizer=adam", "lr.base=0.001", "lr.schedule=constant"]
PLAIN_WORDS += ["trainer.evaluate_every=null", "trainer.patience=10"]


def by_rule(**given: object) -> list[str]:
    """Words for the lengths that users have by default, but for those `given`; see `conftest.PLAIN`."""
    keys = dict.fromkeys(("epochs", "batch_size", "evaluate_every", "patience"), "auto") | given
    return [f"trainer.{key}={value}" for key, value in keys.items()]


def make_config(tasks: Mapping[str, Any] | None = None, **groups: Any) -> Config:
    """A checked configuration of a small network; `groups` overwrite single settings: lr={"base": 0.1}."""
    tree: dict[str, Any] = {
        "data": {"path": "memory"},
        "tasks": tasks or {"a": {"type": "regression"}, "b": {"type": "binary"}, "c": {"type": "categorical"}},
        "model": {"name": "mlp", "hidden": [8, 6], "head_hidden": [5]},
        "sharing": {"name": "hard"},
        "graph": {"name": "none"},
        "loss": {"name": "sum"},
        "lr": {"name": "single", "base": 0.01},
        "optimizer": {"name": "adam"},
        "trainer": {"batch_size": 16, "epochs": 3, "threads": 1, "tensorboard": False},
    }
    for group, settings in groups.items():
        tree[group] = tree.get(group, {}) | settings if isinstance(settings, Mapping) else settings
    return check(tree)


def make_dataset(
    config: Config,
    rows: int = 120,
    inputs: int = 4,
    missing: float = 0.0,
    weighted: bool = False,
    classes: Mapping[str, int] | None = None,
    seed: int = 0,
) -> Dataset:
    """A table of numbers whose targets depend on them; `missing` is the share of labels that are not observed."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, inputs))
    targets = {}
    for i, (name, task) in enumerate(config.active.items()):
        signal = np.tanh(x @ np.random.default_rng(100 + i).normal(size=inputs))
        kind = task.type or "regression"
        declared = type_of(kind)
        count = 2 if declared.has_two_classes else (classes or {}).get(name, 3) if declared.has_many_classes else 0
        if not count:
            values = 5 + 3 * signal + 0.1 * rng.normal(size=rows)
            if declared.accepts is not None:  # a count
                values = values.round().clip(0)
        else:
            edges = np.quantile(signal, np.linspace(0, 1, count + 1)[1:-1])
            values = np.searchsorted(edges, signal + 0.1 * rng.normal(size=rows)).clip(0, count - 1)
        observed = rng.random(rows) >= missing
        if declared.reads_inputs:
            values, observed = np.zeros(rows), np.ones(rows, dtype=bool)
        targets[name] = Target(
            task=name,
            column=name,
            type=kind,
            loss=task.loss or declared.default_loss,
            primary=task.primary or declared.primary,
            classes=list(range(count)),
            observed=observed,
            class_weights=task.class_weights,
            values=np.where(observed, values, 0).astype(np.float64),
        )
    spec = InputSpec([InputColumn(f"x{j}", "numeric") for j in range(inputs)], config.net.embedding_for(0))
    order = np.random.default_rng(config.data.split.seed).permutation(rows)
    parts = [np.sort(p) for p in np.split(order, [rows * 6 // 10, rows * 8 // 10])]
    weight = rng.uniform(0.5, 2, rows).astype(np.float32) if weighted else None
    return Dataset(spec, x, np.empty((rows, 0), np.int32), targets, weight, Split(*parts), "memory", [])


def with_own_labels(dataset: Dataset, config: Config) -> Dataset:
    """The data set with the training labels that the configuration's tasks ask for."""
    frame = pd.DataFrame({n: np.where(t.observed, t.values, np.nan) for n, t in dataset.targets.items()})
    table, targets = Table(frame, dataset.hash, [len(frame)], Reading(), {}), {}
    for name, target in dataset.targets.items():
        run = RunTable(config, table, dataset.split, dataset.weight)
        values, observed = training_labels(name, run, target.values, target.observed)
        targets[name] = dataclasses.replace(target, values=values, observed=observed)
    return dataclasses.replace(dataset, targets=targets)


def make_stack(configs: Sequence[Config], **data: Any) -> Stack:
    """A stack of runs on the same small table (each with its own split)."""
    datasets = [make_dataset(c, **data) for c in configs]
    return build_stack(configs, datasets)


def train_steps(stack: Stack, steps: int, start: int = 0) -> None:
    """So many steps from the beginning of epoch 1 on, through as many epochs as it takes."""
    done, epoch = 0, 1
    while done < steps:
        for batch in stack.train.epoch(epoch):
            stack.step(batch, start + done)
            done += 1
            if done == steps:
                break
        epoch += 1


def train_in_folders(
    configs: Sequence[Config],
    datasets: Sequence[Dataset],
    folders: Sequence[Path],
    checkpoint: Path,
    number: int,
    display: Display,
    ended: Callable[[list[Member]], None],
) -> None:
    """Trains runs side by side as stack `number` of a sweep into their folders, or goes on with them."""
    runs = StackOfRuns(configs, datasets, folders, checkpoint)
    train_stack(runs, RunLogs(number, len(configs), display, ended), runs.saved_state())
