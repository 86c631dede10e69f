"""`mtlrun log`: sends finished runs and sweeps to another tool, each once."""

import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.progress import track

from mtlrun.compare.collect.folders import collect
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.trackers.content import Content, content_of_run, content_of_sweep
from mtlrun.trackers.tracker import Tracker
from mtlrun.util.errors import RequestError, counted, listing, nearest
from mtlrun.util.shell import resume_command
from mtlrun.util.terminal import say

# tool -> its module, its class, the environment variable that names a project
TOOLS = {
    "mlflow": ("mtlrun.trackers.to_mlflow", "MlflowTracker", "MLFLOW_EXPERIMENT_NAME"),
    "wandb": ("mtlrun.trackers.to_wandb", "WandbTracker", "WANDB_PROJECT"),
}


def send(folders: Sequence[Path], tool: str, uri: str | None, project: str | None, checkpoints: bool) -> int:
    """Sends the completed runs in and below `folders`. Returns the exit status.

    tool: a key of TOOLS. uri: the server of mlflow. project: the experiment or project; None: the environment
    variable, or the name of the table. checkpoints: with the trained nets.
    Raises RequestError for an unknown tool, one that is not installed or refuses, and if no run is completed.
    """
    if tool not in TOOLS:
        raise RequestError(f"--to: found {tool}{nearest(tool, TOOLS)}\nallowed: {listing(TOOLS)}")
    runs = collect(folders, to_compare=False).runs
    by_sweep: dict[Path | None, list[RunRecord]] = {}
    for run in runs:
        if run.completed:
            by_sweep.setdefault(run.sweep, []).append(run)
    left = _left_out(runs)
    if not by_sweep:
        raise RequestError(f"log: no run is completed ({'; '.join(left)})\nallowed: finished runs")
    trackers: dict[str, Tracker] = {}
    for sweep, members in by_sweep.items():
        contents = [content_of_run(run, checkpoints) for run in members]
        name = project or os.environ.get(TOOLS[tool][2]) or contents[0].project
        if name not in trackers:
            trackers[name] = _open(tool, name, uri)
        say(_send(trackers[name], content_of_sweep(sweep, contents) if sweep is not None else None, contents))
    for tracker in trackers.values():
        say(tracker.place)
    for line in left:
        say(f"left out: {line}")
    return 0


def _open(tool: str, project: str, uri: str | None) -> Tracker:
    """The tracker of a tool. Raises RequestError if the tool is not installed."""
    module, name, _ = TOOLS[tool]
    try:
        tracker: type[Tracker] = getattr(importlib.import_module(module), name)
    except ImportError as error:
        why = str(error).splitlines()[0]
        raise RequestError(f'--to {tool}: not installed ({why}): pip install "mtlrun[{tool}]"') from None
    return tracker(project, uri)


def _send(tracker: Tracker, sweep: Content | None, runs: Sequence[Content]) -> str:
    """Sends the runs that are not there. Returns a line on it."""
    new = [run for run in runs if not tracker.has(run)]
    if sweep is not None:
        tracker.add_sweep(sweep)
    for run in _with_progress(new, tracker.place):
        tracker.add_run(run, sweep)
    there = len(runs) - len(new)
    words = [f"sent {counted(len(new), 'run')}"] if new else []
    words += [f"already there: {counted(there, 'run')}"] if there else []
    return f"{sweep.name if sweep is not None else listing(run.name for run in runs)}: {'; '.join(words)}"


def _with_progress(runs: Sequence[Content], place: str) -> Iterable[Content]:
    """The runs, with a bar on a terminal."""
    return track(runs, f"to {place}", transient=True, disable=not sys.stdout.isatty())


def _left_out(runs: Sequence[RunRecord]) -> list[str]:
    """A line on the runs that are not completed."""
    failed = [run.name for run in runs if run.failed]
    unfinished = dict.fromkeys(run.sweep or run.folder for run in runs if run.unfinished)
    lines = [f"{counted(len(failed), 'run')} failed ({listing(failed, 3)})"] if failed else []
    if unfinished:
        count = sum(run.unfinished for run in runs)
        lines.append(f"{counted(count, 'run')} not finished ({'; '.join(map(resume_command, unfinished))})")
    return lines
