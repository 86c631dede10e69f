"""The table of a sweep, results.csv, derived from its plan and from the summary.json of each run."""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlrun.results import events
from mtlrun.results.files import locked, write_atomic, write_text
from mtlrun.results.names import RESULTS
from mtlrun.results.summary import read
from mtlrun.results.sweep_folder import LOCK, read_plan
from mtlrun.tasks import higher_is_better, inferred_primaries
from mtlrun.util.terminal import cell

HPARAMS = f"{events.PREFIX}0000000000.columns"  # the event file of a sweep
NUMBER = r"\d+(\.\d*)?(e[+-]?\d+)?"


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
