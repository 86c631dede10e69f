"""A sweep's table, results.csv: derived from its plan and from each run's summary.json."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlrun.results.files import locked, write_text
from mtlrun.results.summary import read
from mtlrun.results.sweep_folder import LOCK, read_plan
from mtlrun.tasks import higher_is_better, inferred_primaries
from mtlrun.util.terminal import cell

TABLE = "results.csv"
NUMBER = r"\d+(\.\d*)?(e[+-]?\d+)?"


def rebuild(sweep_dir: Path, ended: bool = False) -> list[dict[str, Any]]:
    """Writes results.csv anew from the plan and each run's summary.json, and returns its rows in job order.

    Columns: run, status, one per overridden key, one per final figure, seconds, error. With `ended`
    nobody is at work any more: a run without a final status is shown as interrupted.
    Safe with many workers: under a lock, and the table is replaced in one step.
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
        write_text(sweep_dir / TABLE, table.getvalue())
    return rows


def primary_metric(figures: Mapping[str, float], split: str, task: str, primary: str | None) -> str | None:
    """The metric that stands for a task; where `primary` is None the type's own, told by which figures there are."""
    for metric in [primary] if primary is not None else inferred_primaries():
        if f"{split}/{task}/{metric}" in figures:
            return metric
    return None


def best(rows: list[dict[str, Any]], task: str, primary: str | None) -> tuple[str, str, float] | None:
    """The best completed run for a task, by its primary metric on val: (run, SPLIT/TASK/METRIC, figure)."""
    scored = []
    for row in rows:
        metric = primary_metric(row["figures"], "val", task, primary)
        if row["status"] == "completed" and metric is not None:
            name = f"val/{task}/{metric}"
            scored.append((row["run"], name, float(row["figures"][name])))
    if not scored:
        return None
    choose = max if higher_is_better(scored[0][1].rpartition("/")[2]) else min
    return choose(scored, key=lambda entry: entry[2])


def causes(rows: Sequence[Mapping[str, Any]]) -> list[tuple[int, str, str]]:
    """What failed runs failed of, the most frequent first: (how many, the error, the name of the first of them).

    Errors that differ in numbers and in the names of runs alone are one cause, in which these are left out.
    """
    alike: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["status"] == "failed":
            alike.setdefault(_without_numbers(row, "#"), []).append(row)
    ordered = sorted(alike.values(), key=len, reverse=True)
    return [(len(failed), _common_error(failed), str(failed[0]["run"])) for failed in ordered]


def _common_error(failed: Sequence[Mapping[str, Any]]) -> str:
    """The error of runs that failed alike, without what differs."""
    texts = {str(row["error"]) for row in failed}
    return texts.pop() if len(texts) == 1 else _without_numbers(failed[0], "…")


def _without_numbers(row: Mapping[str, Any], mark: str) -> str:
    """The error of a run, with a mark in place of numbers and without the run's own name."""
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
