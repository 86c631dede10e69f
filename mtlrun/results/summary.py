"""summary.json: its keys, written the same whatever became of a run."""

import json
from pathlib import Path
from typing import Any

from mtlrun.results.files import write_json, write_text
from mtlrun.util.errors import RequestError

SCHEMA = 1
FILE = "summary.json"
METRICS_HEADER = ("epoch", "step", "split", "task", "metric", "value")
IMPORTANCE = "importance.csv"
IMPORTANCE_HEADER = ("task", "metric", "input", "value")
ENDED = ("completed", "failed")  # nothing of such a run changes any more
EMPTY: dict[str, Any] = {
    "schema": SCHEMA,
    "status": "pending",
    "error": None,
    "seed": None,
    "settings": {},
    "config_hash": None,
    "data_hash": None,
    "versions": {},
    "hardware": {},
    "git": None,
    "stack": {"id": 0, "size": 1},
    "steps": 0,
    "best": None,
    "figures": {},
    "trivial": {},
    "rows": {},
    "seconds": 0.0,
    "memory": 0,
    "parameters": None,
    "packages": {},
}


class NewerSchema(RequestError):
    """A summary that a newer mtlrun has written."""


def read(folder: Path) -> dict[str, Any] | None:
    """The summary of a run's folder; None where there is none.

    Raises RequestError where it cannot be read, is no JSON of a summary, or (NewerSchema) of a newer schema.
    """
    try:
        if (folder / FILE).exists() and not (folder / FILE).is_file():
            raise RequestError(f"{folder / FILE}: is no file\nremove it, and resume the run")
        summary: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        why = error.strerror
        raise RequestError(f"{folder / FILE}: not readable ({why})\nallowed: a file that you may read") from None
    except (ValueError, RecursionError):
        raise RequestError(f"{folder / FILE}: not readable as JSON\nremove it, and resume the run") from None
    if not isinstance(summary, dict) or not isinstance(summary.get("schema", 0), int):
        raise RequestError(f"{folder / FILE}: not the summary of a run\nremove it, and resume the run")
    if summary.get("schema", 0) > SCHEMA:
        newer = f"schema {summary['schema']}, this mtlrun reads up to {SCHEMA}"
        raise NewerSchema(f"{folder}: {newer}\nuse a newer mtlrun")
    return summary


def status_of(folder: Path) -> str | None:
    """What became of the run in `folder`, as far as that is known. Raises RequestError as `read`."""
    status = (read(folder) or {}).get("status")
    return status if isinstance(status, str) else None


def record_end(folder: Path, status: str, error: str | None = None, **known: Any) -> None:
    """Note how a run ended, unless it has completed or failed already.

    Whatever the run did not come to keeps its empty value, and metrics.csv has its header at least: a failed
    run leaves the same files as any other.
    """
    summary = {**EMPTY, **known, **(read(folder) or {})}
    if status_of(folder) not in ENDED:
        write_json(folder / FILE, {**summary, "status": status, "error": error})
    if not (folder / "metrics.csv").exists():
        write_text(folder / "metrics.csv", ",".join(METRICS_HEADER) + "\n")


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as they are typed: dotted keys, a group's option under the group's own name."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix.rstrip(".") if key == "name" and prefix else f"{prefix}{key}"] = value
    return flat
