"""The facts about each task that `mtlrun check` shows."""

from typing import Any

import numpy as np

from mtlrun.config.schema import Config
from mtlrun.data.dataset import Dataset, load_table
from mtlrun.data.doubts import class_text
from mtlrun.data.encoding import bin_edges
from mtlrun.data.labels import observed_labels, raw_labels
from mtlrun.tasks import type_of


def task_facts(config: Config, dataset: Dataset) -> list[dict[str, Any]]:
    """One row per task.

    task, type, role, loss, primary: as in the settings, or inferred
    target, expression: the column or the expression of the labels, else None
    classes: class (as text) -> share of the training labels; empty for numbers
    bins: the inner edges of quantised labels, else empty
    positive: only for a binary task; the class (as text) whose probability is predicted
    mean, std: only for numbers; of the training labels, in the unit of the column
    inputs: only for a task without labels in the table; the number of outputs of a reconstruction
    train, val, test: the number of labels in each part
    effective: only with row weights; Kish's effective number of training labels, (Σw)²/Σw²
    """
    facts = []
    for task, target in dataset.targets.items():
        train, settings = dataset.split.train, config.tasks[task]
        labels = target.labels(train)
        row: dict[str, Any] = {
            "task": task,
            "type": target.type,
            "target": target.column,
            "expression": settings.expression,
            "role": settings.role,
            "loss": target.loss,
            "primary": target.primary,
            "classes": {},
            "bins": [],
        }
        if target.classes:
            counts = np.bincount(labels, minlength=len(target.classes))
            row["classes"] = {
                class_text(c): float(n) / len(labels) for c, n in zip(target.classes, counts, strict=True)
            }
            if type_of(target.type).has_two_classes:
                row["positive"] = class_text(target.classes[1])
            if settings.bins is not None:
                table, _ = load_table(config)
                raw = raw_labels(task, settings, table)
                assert raw is not None, "bins are of labels"
                row["bins"] = bin_edges(task, settings, raw, observed_labels(task, settings, table)).tolist()
        elif not settings.has_labels:
            row["inputs"] = dataset.reconstructed_width(task)
        else:
            row |= {"mean": float(labels.mean()), "std": float(labels.std())}
        row |= {part: int(target.observed[rows].sum()) for part, rows in dataset.split.parts().items()}
        if dataset.weight is not None:
            weight = dataset.weight[train][target.observed[train]].astype(np.float64)
            total = float((weight**2).sum())
            row["effective"] = float(weight.sum()) ** 2 / total if total > 0 else 0.0
        facts.append(row)
    return facts
