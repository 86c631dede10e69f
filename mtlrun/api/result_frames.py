"""The results in a folder as tidy frames."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mtlrun.compare.collect.folders import collect
from mtlrun.storage.names import METRICS
from mtlrun.storage.summary import read


@dataclass(frozen=True)
class Results:
    """The results of the runs in a folder. `run` is the folder of a run, below the named one.

    runs: a row per run: run, status, seed, steps, seconds, and a column for each setting that differs between runs
    figures: a row per figure of the selected parameters: run, split, task, metric, value
    curves: the rows of all metrics.csv: run, epoch, step, split, task, metric, value
    """

    runs: pd.DataFrame
    figures: pd.DataFrame
    curves: pd.DataFrame


def results(folder: str | Path) -> Results:
    """Reads the runs in and below a folder: a run, a sweep, or a folder above them. Unfinished runs count too.

    An empty `task` belongs to the whole run. Raises mtlrun.util.errors.RequestError if there is no run.
    """
    root = Path(folder)
    found = collect([root], to_compare=False).runs
    names = {run.folder: _name(run.folder, root) for run in found}
    differing = _differing([run.settings for run in found])
    runs = [
        {
            "run": names[run.folder],
            "status": run.status,
            **{key: run.settings.get(key) for key in differing},
            "steps": run.steps,
            "seconds": run.seconds,
        }
        for run in found
    ]
    figures = [
        (names[run.folder], *name.split("/", 2), value)
        for run in found
        for name, value in ((read(run.folder) or {}).get("figures") or {}).items()
    ]
    curves = [_curves(run.folder, names[run.folder]) for run in found if (run.folder / METRICS).is_file()]
    columns = ["run", "epoch", "step", "split", "task", "metric", "value"]
    return Results(
        pd.DataFrame(runs),
        pd.DataFrame(figures, columns=["run", "split", "task", "metric", "value"]),
        pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns),
    )


def _name(folder: Path, root: Path) -> str:
    return str(folder.resolve().relative_to(root.resolve())) if folder.resolve() != root.resolve() else folder.name


def _curves(folder: Path, name: str) -> pd.DataFrame:
    frame = pd.read_csv(folder / METRICS, keep_default_na=False, na_values={"value": [""]})
    frame.insert(0, "run", name)
    return frame


def _differing(settings: list[Mapping[str, Any]]) -> list[str]:
    """The keys of settings that are not the same in all runs, the seed first."""
    keys = dict.fromkeys(key for own in settings for key in own)
    varied = [key for key in keys if len({repr(own.get(key)) for own in settings}) > 1]
    return ["seed", *(key for key in varied if key != "seed")] if "seed" in keys else varied
