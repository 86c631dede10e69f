"""The table of a sweep, results.csv, derived from its plan and from the summary.json of each run."""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from mtlrun.storage import events
from mtlrun.storage.files import locked, write_atomic, write_text
from mtlrun.storage.names import RESULTS
from mtlrun.storage.summary import read
from mtlrun.storage.sweep_folder import LOCK, SEEDS, read_plan
from mtlrun.tasks import higher_is_better, inferred_primaries
from mtlrun.util.terminal import cell

HPARAMS = f"{events.PREFIX}0000000000.columns"  # the event file of a sweep
NUMBER = r"\d+(\.\d*)?(e[+-]?\d+)?"
Seeds = tuple[Any, ...]  # the values of `SEEDS` that a run was given


@dataclass(frozen=True)
class Best:
    """The best setting for a task.

    run: the name of its first run. metric: `SPLIT/TASK/METRIC`. figure: its mean over so many `seeds`
    settings: the number of settings that it was chosen from
    """

    run: str
    metric: str
    figure: float
    seeds: int
    settings: int


def rebuild(sweep_dir: Path, ended: bool = False) -> list[dict[str, Any]]:
    """Writes results.csv from the plan and the summary.json of each run. Returns its rows in job order.

    Columns: run, status, one per overridden key, one per final figure, seconds, error. `ended` says that no process
    works on the sweep any more: a run with status "running" is then shown as interrupted. Several workers may call
    this at once: it holds a lock and replaces the table in one step.
    """
    with locked(sweep_dir / LOCK):
        rows = [_row(sweep_dir, job, ended) for job in read_plan(sweep_dir)]
        keys = _in_order(row["overrides"] for row in rows)
        figures = _in_order(row["figures"] for row in rows)
        lines = [["run", "status", *keys, *figures, "seconds", "error"]]
        for row in rows:
            values = [row["overrides"].get(key, "") for key in keys] + [row["figures"].get(f, "") for f in figures]
            lines.append([*map(cell, [row["run"], row["status"], *values, row["seconds"], row["error"]])])
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows(lines)
        write_text(sweep_dir / RESULTS, table.getvalue())
        if ended and any(path for row in rows for path in (sweep_dir / row["run"]).glob(f"{events.PREFIX}*")):
            columns = events.sweep_columns(*_hparams_columns(rows))
            write_atomic(sweep_dir / HPARAMS, lambda path: path.write_bytes(columns))
    return rows


def _hparams_columns(rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, bool], list[str]]:
    """The columns of TensorBoard's HPARAMS tab: settings that vary (whether they are numbers), and test figures.

    A setting that only some runs have varies. If nothing varies, the seed is a column. A seed is text, not a number.
    """
    keys = _in_order(row["overrides"] for row in rows)
    values = {key: [row["overrides"].get(key) for row in rows] for key in keys}
    varying = [key for key in keys if len(set(values[key])) > 1] or [key for key in keys if key == "seed"]
    numbers = {
        key: key != "seed" and all(_is_number(value) for value in values[key] if value is not None) for key in varying
    }
    figures = [name for name in _in_order(row["figures"] for row in rows) if name.startswith("test/")]
    primaries = inferred_primaries()
    return numbers, sorted(figures, key=lambda name: name.rpartition("/")[2] not in primaries)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def primary_metric(figures: Mapping[str, float], split: str, task: str, primary: str | None) -> str | None:
    """The metric that represents a task, or None if there is no figure of it.

    It is `primary`. If `primary` is None, it is the default of the task's type, which follows from the figures.
    """
    for metric in [primary] if primary is not None else inferred_primaries():
        if f"{split}/{task}/{metric}" in figures:
            return metric
    return None


def seed_groups(rows: Iterable[Mapping[str, Any]]) -> list[dict[Seeds, Mapping[str, Any]]]:
    """The completed runs of each setting, by their seeds. Runs of one setting differ in seeds only."""
    groups: dict[frozenset[tuple[str, Any]], dict[Seeds, Mapping[str, Any]]] = {}
    for row in rows:
        if row["status"] == "completed":
            overrides = row["overrides"]
            setting = frozenset((key, value) for key, value in overrides.items() if key not in SEEDS)
            groups.setdefault(setting, {})[tuple(overrides.get(key) for key in SEEDS)] = row
    return list(groups.values())


def best(rows: Iterable[Mapping[str, Any]], task: str, primary: str | None) -> Best | None:
    """The best setting for a task, by the mean of its primary metric on val over the seeds that all settings share.

    None if no run has a figure, or if the settings share no seed.
    """
    scored = []
    for group in seed_groups(rows):
        metrics = {seeds: primary_metric(row["figures"], "val", task, primary) for seeds, row in group.items()}
        if known := {seeds: group[seeds] for seeds, metric in metrics.items() if metric is not None}:
            scored.append((known, f"val/{task}/{metrics[next(iter(known))]}"))
    shared = set.intersection(*(set(known) for known, _ in scored)) if scored else set()
    if not shared:
        return None
    name, count = scored[0][1], len(scored)
    found = []
    for known, _ in scored:
        runs = [row for seeds, row in known.items() if seeds in shared]
        found.append(Best(runs[0]["run"], name, mean_figure(runs, name), len(runs), count))
    choose = max if higher_is_better(name.rpartition("/")[2]) else min
    return choose(found, key=lambda entry: entry.figure)


def mean_figure(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    """The mean of a figure over runs."""
    return fmean(row["figures"][name] for row in rows)


def causes(rows: Sequence[Mapping[str, Any]]) -> list[tuple[int, str, str]]:
    """The errors of failed runs, the most frequent first: (number of runs, error, name of the first run).

    Errors that differ only in numbers or in the names of runs count as one. Its text is then without these.
    """
    alike: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["status"] == "failed":
            alike.setdefault(_without_numbers(row, "#"), []).append(row)
    ordered = sorted(alike.values(), key=len, reverse=True)
    return [(len(failed), _common_error(failed), str(failed[0]["run"])) for failed in ordered]


def _common_error(failed: Sequence[Mapping[str, Any]]) -> str:
    """The common error of runs, without the parts that differ."""
    texts = {str(row["error"]) for row in failed}
    return texts.pop() if len(texts) == 1 else _without_numbers(failed[0], "…")


def _without_numbers(row: Mapping[str, Any], mark: str) -> str:
    """The error of a run, with `mark` in place of numbers and "…" in place of the run's name."""
    return re.sub(NUMBER, mark, str(row["error"]).replace(row["run"], "…"))


def _row(sweep_dir: Path, job: Mapping[str, Any], ended: bool) -> dict[str, Any]:
    folder = sweep_dir / job["run"]
    summary = read(folder)
    status = (summary or {}).get("status") or ("running" if folder.is_dir() else "pending")
    if ended and status == "running":
        status = "interrupted"
    summary = summary or {}
    return {
        "run": job["run"],
        "status": status,
        "overrides": {
            k: v for k, v in job["overrides"].items() if not k.startswith(("~", "hydra", "arms", "trials", "focus"))
        },
        "figures": summary.get("figures") or {},
        "seconds": "" if summary.get("seconds") is None else summary["seconds"],
        "error": " ".join(str(summary.get("error") or "").split()),
    }


def _in_order(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))
