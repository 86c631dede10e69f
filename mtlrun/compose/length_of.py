"""`trainer.length_of`: the length of a training on all rows, from the run or sweep that chose it on val."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from mtlrun.config.schema import Config, as_mapping
from mtlrun.storage import summary
from mtlrun.storage.names import PLAN
from mtlrun.storage.sweep_folder import read_plan
from mtlrun.util.errors import RequestError, listing
from mtlrun.util.shell import resume_command

KEY = "trainer.length_of"
# settings in which the run that chose the length may differ: they follow from it, or change no figure
MAY_DIFFER = ("seed", "name", "data.path", "data.split.", "data.reading", "trainer.", "model.restart")


@dataclass(frozen=True)
class Chosen:
    """The length that a run chose: the steps of its selected checkpoint, and the rows of a batch.

    settings: of the run, by key
    """

    name: str
    steps: int
    batch_size: int
    settings: Mapping[str, Any]


def with_length(config: Config) -> Config:
    """The configuration with the length of the run or sweep that `trainer.length_of` names; as it is without one.

    Of a sweep it is the median over its completed runs, of those with the settings of `config` if there are any. A note
    says what it is, and in which settings the runs differ. Raises RequestError for a folder without such a run, and for
    runs with batches of different sizes.
    """
    if config.trainer.length_of is None:
        return config
    folder = Path(config.trainer.length_of)
    runs, ours = _runs(folder), summary.flatten(as_mapping(config))
    alike = [run for run in runs if not _differing(run, ours)] or runs
    sizes = sorted({run.batch_size for run in alike})
    if len(sizes) > 1:
        raise RequestError(
            f"{KEY}: the runs in {folder} have batches of {listing(sizes)} rows\nname one of them, such as "
            f"{folder / alike[0].name}"
        )
    steps = max(1, round(median(run.steps for run in alike)))
    of = f"the median of {len(alike)} runs" if len(alike) > 1 else "as chosen"
    notes = [f"{KEY}: {steps:,} steps of {sizes[0]:,} rows, {of} in {folder}"]
    if differing := _differing(alike[0], ours):
        notes.append(f"{KEY}: other settings there ({listing(differing, 4)}), which may need another length")
    trainer = replace(config.trainer, max_steps=steps, epochs=steps, batch_size=sizes[0], patience=None)
    return replace(config, trainer=trainer, notes=(*config.notes, *notes))


def _runs(folder: Path) -> list[Chosen]:
    """The lengths that a run, or the completed nets of a sweep, chose. Raises RequestError if there are none."""
    if not folder.is_dir():
        raise RequestError(f"{KEY}: there is no folder {folder}\nallowed: the folder of a run or sweep")
    if not (folder / PLAN).is_file():
        return [_chosen(folder)]
    places = [folder / entry["run"] for entry in read_plan(folder)]
    completed = [place for place in places if summary.status_of(place) == "completed"]
    if not completed:
        raise RequestError(f"{KEY}: no run of {folder} is completed\ngo on with: {resume_command(folder)}")
    return [_chosen(place) for place in completed if not _is_boosting(place)] or [_chosen(completed[0])]


def _is_boosting(run: Path) -> bool:
    return summary.flatten((summary.read(run) or {}).get("settings") or {}).get("model") == "boosting"


def _chosen(run: Path) -> Chosen:
    """The length that a run chose. Raises RequestError if it has not chosen one."""
    found = summary.read(run)
    if found is None:
        raise RequestError(f"{KEY}: {run} holds no run\nallowed: the folder of a run or sweep")
    best, settings = found.get("best"), summary.flatten(found.get("settings") or {})
    if settings.get("model") == "boosting":
        raise RequestError(f"{KEY}: {run} has model=boosting, whose length is in iterations\nallowed: a network")
    if found.get("status") != "completed" or not isinstance(best, dict) or not isinstance(best.get("step"), int):
        raise RequestError(f"{KEY}: {run} is not completed, so it has chosen no length\n{resume_command(run)}")
    return Chosen(run.name, best["step"], _batch_size(found, settings), settings)


def _batch_size(found: Mapping[str, Any], settings: Mapping[str, Any]) -> int:
    """The rows of a batch: as the run has recorded them, else from its settings."""
    size = (found.get("length") or {}).get("batch_size", settings.get("trainer.batch_size"))
    rows = (found.get("rows") or {}).get("train")
    if not isinstance(size, int):
        raise RequestError(f"{KEY}: the run has recorded no size of its batches\ntrain it anew")
    return min(size, rows) if isinstance(rows, int) and rows > 0 else size


def _differing(run: Chosen, ours: Mapping[str, Any]) -> list[str]:
    """The settings in which a run differs, as it has them."""
    keys: Sequence[str] = [key for key in {**ours, **run.settings} if not f"{key}.".startswith(MAY_DIFFER)]
    known = [key for key in keys if key in run.settings]
    return [f"{key}={run.settings[key]}" for key in known if run.settings[key] != ours.get(key)]
