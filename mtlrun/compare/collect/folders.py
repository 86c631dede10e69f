"""Collects the runs in and below folders, each once, and notes problems with their files.

Only summary.json, sweep.json, chosen.json, remarks.json and the end of metrics.csv are read, with the standard library.
The code that draws curves reads the whole metrics.csv.
"""

import json
import os
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

from mtlrun.compare.collect.choice import FILE as CHOSEN
from mtlrun.compare.collect.choice import Choice, read_choices
from mtlrun.compare.collect.damage import Problems
from mtlrun.compare.collect.run_record import Collection, RunRecord
from mtlrun.compare.collect.summaries import PlanEntry, read_run
from mtlrun.storage.names import HYDRA_FOLDER, METRICS, PLAN, REMARKS, SUMMARY
from mtlrun.storage.sweep_folder import read_plan
from mtlrun.util.errors import RequestError, listing

SKIPPED = ("compare", "checkpoints")  # folders without runs; folders that begin with a dot are skipped too


def collect(folders: Sequence[Path], to_compare: bool = True) -> Collection:
    """The runs in and below `folders`. to_compare: without those that train on all rows and have nothing to compare.

    Raises RequestError for a missing folder, a folder without runs, and a summary of a newer schema. Other problems are
    findings: an unreadable or unfinished file, a run without test figures, the same run twice.
    """
    runs: list[RunRecord] = []
    problems = Problems()
    for folder in folders:
        if not folder.is_dir():
            raise RequestError(f"compare: there is no folder {folder}\nallowed: folders of runs and sweeps")
        places = _places(folder, problems, set())
        found = [run for place, planned in places if (run := read_run(place, planned, problems)) is not None]
        if not found:
            texts = [problem.text for problem in problems.noted]
            unreadable = f" that can be read ({listing(texts, 2)})" if texts else ""
            raise RequestError(f"{folder} holds no runs{unreadable}\nallowed: folders of runs and sweeps, outputs/...")
        runs += found
    runs = _each_once(_with_test(runs, problems) if to_compare else runs, problems)
    remarks = _remarks(folders[0], problems) if len(folders) == 1 else ()
    return Collection(tuple(folders), tuple(runs), tuple(problems.findings()), remarks)


def _places(folder: Path, problems: Problems, visited: set[Path]) -> Iterator[tuple[Path, PlanEntry]]:
    """The folders of runs in and below `folder`, in order. The plan of a sweep lists all its runs, begun or not.

    Folders in `visited` are skipped, because links may form a loop.
    """
    try:
        here = folder.resolve(strict=True)
        names = sorted(entry.name for entry in os.scandir(folder))
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else "links that lead back to themselves"
        problems.add("unreadable", folder.name, f"the folder cannot be read ({why})")
        return
    if here in visited:
        return
    visited.add(here)
    if PLAN in names and (plan := _plan(folder, problems)):
        for run, planned in plan.items():
            yield folder / run, planned
        return
    if SUMMARY in names or HYDRA_FOLDER in names or METRICS in names:
        plan = _plan(folder.parent, problems) if (folder.parent / PLAN).is_file() else {}  # one run of a sweep
        yield folder, plan.get(folder.name, PlanEntry())
        return
    for name in names:
        if not name.startswith(".") and name not in SKIPPED and (folder / name).is_dir():
            yield from _places(folder / name, problems, visited)


def _plan(sweep: Path, problems: Problems) -> dict[str, PlanEntry]:
    """Folder name -> run in the plan of a sweep.

    If the plan cannot be read, notes a problem and returns {}. The folders of the sweep are then searched for runs.
    """
    try:
        entries = read_plan(sweep)
    except (OSError, RequestError):
        problems.add("unreadable", sweep.name, f"{PLAN} cannot be read: runs that have no folder are not known")
        return {}
    choices = _choices(sweep, problems)
    return {entry["run"]: PlanEntry(sweep, entry, choices.get(entry["run"])) for entry in entries}


def _choices(sweep: Path, problems: Problems) -> dict[str, Choice]:
    try:
        return read_choices(sweep)
    except (OSError, ValueError):
        problems.add("unreadable", sweep.name, f"{CHOSEN} cannot be read: what was tried before is not known")
        return {}


def _remarks(folder: Path, problems: Problems) -> tuple[str, ...]:
    """What a search has brought, if the folder is its confirmation."""
    if not (folder / REMARKS).is_file():
        return ()
    try:
        remarks = json.loads((folder / REMARKS).read_text(encoding="utf-8"))
        if isinstance(remarks, list) and all(isinstance(remark, str) for remark in remarks):
            return tuple(remarks)
    except (OSError, ValueError, RecursionError):
        pass
    problems.add("unreadable", folder.name, f"{REMARKS} cannot be read: what the search has brought is not known")
    return ()


def _with_test(runs: Sequence[RunRecord], problems: Problems) -> list[RunRecord]:
    """The runs that have test rows. The others are noted. Raises RequestError if no run has any."""
    without = [run for run in runs if run.untested]
    if without and len(without) == len(runs):
        raise RequestError(
            f"compare: {listing((run.name for run in runs), 3)}: trained without test rows, so there is nothing to "
            "compare\nallowed: runs with rows of test; predict and export take these"
        )
    for run in without:
        problems.add("no test rows", run.name, "trained without test rows, and left out")
    return [run for run in runs if not run.untested]


def _each_once(runs: Sequence[RunRecord], problems: Problems) -> list[RunRecord]:
    """Returns the runs without duplicates. It keeps the first of equal runs, unless only a later one is completed."""
    by_folder: dict[Path, RunRecord] = {}
    for run in runs:  # one of the named folders may lie below another
        by_folder.setdefault(run.folder.resolve(), run)
    kept: dict[Hashable, RunRecord] = {}
    for folder, run in by_folder.items():
        key = folder if run.config_hash is None else (run.config_hash, run.seed, run.data_hash)
        first = kept.setdefault(key, run)
        if first is run:
            continue
        if run.completed and not first.completed:
            kept[key], first, run = run, run, first
        problems.add("the same run twice", run.name, f"the same as {first.name}, which counts")
    return list(kept.values())
