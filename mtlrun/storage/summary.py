"""summary.json of a run. It has the same keys however the run ended."""

import json
from pathlib import Path
from typing import Any

from mtlrun.storage.files import write_json, write_text
from mtlrun.storage.names import METRICS, SUMMARY
from mtlrun.util.errors import RequestError

SCHEMA = 1
METRICS_HEADER = ("epoch", "step", "split", "task", "metric", "value")
IMPORTANCE_HEADER = ("task", "metric", "input", "value")
LENGTH = "length"  # `best.by` of a run on all rows, which trains for the length of another run
ENDED = ("completed", "failed")  # final: a run with such a status does not change any more
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
    "length": None,  # config.length.Length as a mapping; None in runs from before it was kept
    "reading": None,  # how the cells of each column are read (data/reading.py); None in runs from before it was kept
    "seconds": 0.0,
    "memory": 0,
    "parameters": None,
    "packages": {},
}


class NewerSchema(RequestError):
    """A newer mtlrun has written the summary."""


def read(folder: Path) -> dict[str, Any] | None:
    """The summary in a run's folder; None if there is none.

    Raises RequestError if it cannot be read or is no summary in JSON, NewerSchema if its schema is newer.
    """
    try:
        if (folder / SUMMARY).exists() and not (folder / SUMMARY).is_file():
            raise RequestError(f"{folder / SUMMARY}: is no file\nremove it, and resume the run")
        summary: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        why = error.strerror
        raise RequestError(f"{folder / SUMMARY}: not readable ({why})\nallowed: a file that you may read") from None
    except (ValueError, RecursionError):
        raise RequestError(f"{folder / SUMMARY}: not readable as JSON\nremove it, and resume the run") from None
    if not isinstance(summary, dict) or not isinstance(summary.get("schema", 0), int):
        raise RequestError(f"{folder / SUMMARY}: not the summary of a run\nremove it, and resume the run")
    if summary.get("schema", 0) > SCHEMA:
        newer = f"schema {summary['schema']}, this mtlrun reads up to {SCHEMA}"
        raise NewerSchema(f"{folder}: {newer}\nuse a newer mtlrun")
    return summary


def status_of(folder: Path) -> str | None:
    """The status of the run in `folder`; None if there is no summary. Raises the same errors as `read`."""
    status = (read(folder) or {}).get("status")
    return status if isinstance(status, str) else None


def record_end(folder: Path, status: str, error: str | None = None, **known: Any) -> None:
    """Records how a run ended, unless it has completed or failed already.

    A failed run leaves the same files as any other: unknown keys of its summary have their empty values, and
    metrics.csv has at least its header.
    """
    summary = {**EMPTY, **known, **(read(folder) or {})}
    if status_of(folder) not in ENDED:
        write_json(folder / SUMMARY, {**summary, "status": status, "error": error})
    if not (folder / METRICS).exists():
        write_text(folder / METRICS, ",".join(METRICS_HEADER) + "\n")


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as a user types them: dotted keys, and the option of a group under the group's name."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix.rstrip(".") if key == "name" and prefix else f"{prefix}{key}"] = value
    return flat
