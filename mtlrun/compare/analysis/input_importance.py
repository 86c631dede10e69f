"""How much worse tasks get if an input is permuted: the importance.csv of runs, over seeds."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from mtlrun.compare.analysis.inference import Inference
from mtlrun.compare.collect.settings import Setting
from mtlrun.compare.records import Finding, Importance, TaskColumn
from mtlrun.storage.names import IMPORTANCE


def importances(
    settings: Sequence[Setting], columns: Sequence[TaskColumn], inference: Inference, findings: list[Finding]
) -> list[Importance]:
    """How much worse each main task gets if an input is permuted, if runs have an importance.csv.

    If a file is damaged, the lines before the damage count.
    """
    found: list[Importance] = []
    damaged = []
    tasks = [column.task for column in columns]
    for setting in settings:
        values: dict[tuple[str, str], dict[int, float]] = {}
        for seed in setting.seeds:
            for run in setting.of_seed(seed):
                try:
                    for row in _rows(run.folder / IMPORTANCE):
                        if row["task"] in tasks:
                            values.setdefault((row["task"], row["input"]), {})[seed] = float(row["value"])
                except (OSError, KeyError, TypeError, ValueError):
                    damaged.append(run.name)
        for (task, name), by_seed in values.items():
            if (estimate := inference.estimate(by_seed)) is not None:
                found.append(Importance(setting.label, task, name, estimate))
    if damaged:
        findings.append(Finding("warning", "damaged file", f"{IMPORTANCE} cannot be read: {'; '.join(damaged[:3])}"))
    return found


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a file; none if there is no such file."""
    if path.is_file():
        with open(path, encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
