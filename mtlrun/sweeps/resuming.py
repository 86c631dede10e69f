"""Going on with an interrupted run or sweep, on this machine."""

import contextlib
import logging
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtlrun.config.check import check
from mtlrun.config.extensions import require
from mtlrun.config.schema import Config
from mtlrun.config.stages import PRETRAIN
from mtlrun.data.dataset import load_table
from mtlrun.results import hydra_folder
from mtlrun.results.files import at_work, take_over
from mtlrun.results.results_table import rebuild
from mtlrun.results.summary import ENDED, read, status_of
from mtlrun.results.sweep_folder import PLAN, STACKS, read_plan
from mtlrun.runs import single
from mtlrun.runs.failure import note_failure, say_failed
from mtlrun.runs.folder import to_be_resumed
from mtlrun.runs.logs import logged_to, tensorboard_command
from mtlrun.sweeps.closing import close_sweep
from mtlrun.sweeps.local_stacks import train_stacks
from mtlrun.sweeps.member_run import train_member
from mtlrun.util.errors import RequestError, StorageError
from mtlrun.util.terminal import say, shown

log = logging.getLogger("mtlrun.sweeps.resuming")


def resume(folder: Path) -> int:
    """Goes on with an interrupted run or sweep; the exit status. Raises RequestError if the folder holds none."""
    with to_be_resumed(folder):
        if (folder / PLAN).is_file():
            with at_work(folder, alone=True):
                take_over(folder)
                return resume_sweep(folder)
        return _resume_run(folder)


# ---------------------------------------------------------------- a run


def _resume_run(folder: Path) -> int:
    """Goes on with a run, which may be one of a sweep; the exit status."""
    if not (folder / hydra_folder.FOLDER / hydra_folder.CONFIG).is_file():
        raise RequestError(f"{folder}: there is no run in it\nallowed: the folder of a run or sweep, outputs/runs/...")
    if status_of(folder) == "completed":
        say(f"{shown(folder)}: finished already")
        return 0
    runs = _runs_in_its_stack(folder)
    if runs > 1:
        raise RequestError(
            f"{shown(folder)}: trains in a stack of {runs} runs\n"
            f"go on with all of them: mtlrun resume {shlex.quote(shown(folder.parent))}"
        )
    in_sweep = (folder.parent / PLAN).is_file()
    with contextlib.ExitStack() as cleanup:
        if in_sweep:
            cleanup.callback(rebuild, folder.parent)
        try:
            with at_work(folder.parent if in_sweep else folder, alone=True):
                take_over(folder)
                cleanup.enter_context(logged_to(folder / "run.log"))
                summary = single.resume(folder)
            log.info("results: %s", shown(folder))
            if summary["settings"]["trainer"]["tensorboard"]:
                log.info("%s", tensorboard_command(folder))
        except (RequestError, StorageError):
            raise
        except Exception as error:  # whatever a run ends with is noted in its folder
            return say_failed(folder, note_failure(folder, error))
    return 0


def _runs_in_its_stack(folder: Path) -> int:
    """How many runs the stack has that the run in `folder` trains in; 1 for a run on its own, or one that has ended."""
    if not (folder.parent / PLAN).is_file() or status_of(folder) in ENDED:
        return 1
    plan = read_plan(folder.parent)
    number = next((job.get("stack") for job in plan if job["run"] == folder.name), None)
    return 1 if number is None else sum(job.get("stack") == number for job in plan)


# ---------------------------------------------------------------- a sweep


def resume_sweep(folder: Path) -> int:
    """Trains what a sweep has not come to, on this machine; the exit status. Failed runs stay failed.

    A stack goes on as it was, with completed runs frozen in their places. Raises RequestError where the data changed.
    """
    plan = read_plan(folder)
    unfinished = [i for i, job in enumerate(plan) if status_of(folder / job["run"]) not in ENDED]
    if not unfinished:
        _say_finished(folder, plan)
        return 0
    say(f"{len(unfinished)} of {len(plan)} runs are left in {shown(folder)}")
    configs = _configs(folder, plan)
    _require_same_data(folder, plan, configs)
    stacks = sorted({plan[i]["stack"] for i in unfinished if "stack" in plan[i]})
    try:
        if stacks:
            train_stacks(folder, stacks, plan[unfinished[0]].get("processes"))
        for number in unfinished:
            if "stack" not in plan[number]:
                run_folder = folder / plan[number]["run"]
                run_folder.mkdir(exist_ok=True)  # of a run that the sweep did not come to
                with logged_to(run_folder / "run.log"):
                    train_member(folder, plan, number, configs[number], plan[number]["arguments"])
    finally:
        rows = rebuild(folder, ended=True)
    if all(row["status"] in ENDED for row in rows):
        shutil.rmtree(folder / STACKS, ignore_errors=True)  # perhaps left of one that was killed at its end
    return close_sweep(folder, rows, configs)


def _say_finished(folder: Path, plan: Sequence[dict[str, Any]]) -> None:
    """Says that all runs have ended, once the table does."""
    rebuild(folder)  # a sweep that was killed at its end has not come to it
    shutil.rmtree(folder / STACKS, ignore_errors=True)
    failures = [job["run"] for job in plan if status_of(folder / job["run"]) == "failed"]
    say(f"{shown(folder)}: finished already{f', {len(failures)} of {len(plan)} runs failed' if failures else ''}")
    if failures:
        say(f"to try one of them again: mtlrun resume {shlex.quote(shown(folder / failures[0]))}")


def _configs(folder: Path, plan: Sequence[dict[str, Any]]) -> list[Config]:
    """The configuration of every run. Raises RequestError where the plan does not say all that training needs, and
    for packages that are not there."""
    for number, job in enumerate(plan, 1):
        for key in ("arguments", "config", "steps"):
            if key not in job:
                raise RequestError(
                    f"{folder / PLAN}: run {number} has no {key}\nrestore the file, or sweep anew in another folder"
                )
        require(job.get("packages"))
    return [check(job["config"]) for job in plan]


def _require_same_data(folder: Path, plan: Sequence[dict[str, Any]], configs: Sequence[Config]) -> None:
    """Raises RequestError if a run has begun on a table that is not the same any more."""
    for job, config in zip(plan, configs, strict=True):
        for begun_in in (folder / job["run"], folder / job["run"] / PRETRAIN):
            summary = read(begun_in)
            if summary is not None and summary.get("data_hash") not in (None, load_table(config.data)[0].digest):
                raise RequestError(
                    f"data.path: {config.data.path} has changed since this sweep began\n"
                    "restore the file, or sweep anew in another folder"
                )
