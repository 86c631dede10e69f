"""Checks that a checkpoint belongs to the run in whose folder it lies, and is its last word, by its summary.json."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mtlrun.engine.checkpoint import BEGIN_ANEW, MEND
from mtlrun.storage import summary
from mtlrun.storage.names import SUMMARY
from mtlrun.util.errors import RequestError, listing
from mtlrun.util.shell import resume_command

PLACES = ("data.path", "data.split.files", "model.init_from", "trainer.length_of")  # paths: the files may have moved


def require_own_model(path: Path, tree: Mapping[str, Any]) -> None:
    """Raises RequestError if `path`, best.pt with the content `tree`, belongs to another run.

    Compares its settings and its table with those in summary.json. Entries that one of the files lacks are not
    compared: older versions stored less, and a folder may have lost its summary.
    """
    recorded = summary.read(path.parents[1]) or {}
    there, here = tree.get("config"), recorded.get("settings")
    differing: list[str] = []
    if isinstance(there, dict) and isinstance(here, dict):
        differing = list(_differences(there, here))
    if None not in (tree.get("data_hash"), recorded.get("data_hash")) and tree["data_hash"] != recorded["data_hash"]:
        differing.append("the content of the table")
    if differing:
        raise _of_another_run(path, listing(differing, 4), MEND)


def unfinished(folder: Path, tree: Mapping[str, Any]) -> str:
    """A line that says how far the run in `folder` came, if it has not completed; "" otherwise.

    tree: the content of its best.pt
    """
    recorded = summary.read(folder) or {"status": "completed"}
    if recorded.get("status") == "completed":
        return ""
    how = f"{recorded.get('status')} at step {recorded.get('steps')}"
    return (
        f"{folder}: {how}; its best model so far is that of step {tree.get('step')} (finish: {resume_command(folder)})"
    )


def require_own_state(path: Path, member: Mapping[str, Any], folder: Path) -> None:
    """Raises RequestError if the state `member` of one run in the checkpoint `path` is not that of the run in `folder`.

    Compares the hash of the configuration with that in summary.json, if both files have it.
    """
    there, here = member.get("config_hash"), (summary.read(folder) or {}).get("config_hash")
    if None not in (there, here) and there != here:
        raise _of_another_run(path, f"configuration {there}, and {folder} has {here}", BEGIN_ANEW)


def _of_another_run(path: Path, difference: str, mend: str) -> RequestError:
    return RequestError(f"{path}: is the checkpoint of another run ({difference})\n{mend}")


def _differences(there: Mapping[str, Any], here: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yields a phrase for each setting that differs: `loss is pcgrad there and sum in summary.json`."""
    for key, value in there.items():
        if key not in here or value == here[key] or f"{prefix}{key}" in PLACES:
            continue
        if isinstance(value, dict) and isinstance(here[key], dict):
            yield from _differences(value, here[key], f"{prefix}{key}.")
        else:
            name = prefix.rstrip(".") if key == "name" and prefix else f"{prefix}{key}"
            yield f"{name} is {value} there and {here[key]} in {SUMMARY}"
