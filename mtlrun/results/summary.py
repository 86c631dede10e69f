"""summary.json: its keys, written the same whatever became of a run."""

import json
from pathlib import Path
from typing import Any

from mtlrun.errors import RequestError
from mtlrun.results.files import write_json, write_text

SCHEMA = 1
FILE = "summary.json"
METRICS_HEADER = ("epoch", "step", "split", "task", "metric", "value")
ENDED = ("completed", "failed")  # nothing of such a run changes any more
EMPTY: dict[str, Any] = {
    "schema": SCHEMA, "status": "pending", "error": None, "seed": None, "settings": {}, "config_hash": None,
    "data_hash": None, "versions": {}, "hardware": {}, "git": None, "stack": {"id": 0, "size": 1}, "steps": 0,
    "best": None, "figures": {}, "trivial": {}, "seconds": 0.0, "memory": 0,
}  # fmt: skip


def read(folder: Path) -> dict[str, Any] | None:
    """The summary of a run's folder; None where there is none.

    Raises RequestError where it is no JSON or of a newer schema.
    """
    try:
        summary: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except json.JSONDecodeError:
        raise RequestError(f"{folder / FILE}: not readable as JSON\nremove it, and resume the run") from None
    if summary.get("schema", 0) > SCHEMA:
        newer = f"schema {summary['schema']}, this mtlrun reads up to {SCHEMA}"
        raise RequestError(f"{folder}: {newer}\nuse a newer mtlrun")
    return summary


def record_end(folder: Path, status: str, error: str | None = None, **known: Any) -> None:
    """Note how a run ended, unless it has completed or failed already.

    Whatever the run did not come to keeps its empty value, and metrics.csv has its header at least: a failed
    run leaves the same files as any other.
    """
    summary = {**EMPTY, **known, **(read(folder) or {})}
    if summary["status"] not in ENDED:
        write_json(folder / FILE, {**summary, "status": status, "error": error})
    if not (folder / "metrics.csv").exists():
        write_text(folder / "metrics.csv", ",".join(METRICS_HEADER) + "\n")
