"""Resumes an interrupted run or sweep on this machine."""

import contextlib
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtlrun.config.check import check_stored
from mtlrun.config.extensions import require
from mtlrun.config.schema import Config
from mtlrun.config.stages import PRETRAIN
from mtlrun.data.dataset import load_table, require_unchanged
from mtlrun.engine import checkpoint
from mtlrun.runs import single
from mtlrun.runs.failure import note_failure, say_failed
from mtlrun.runs.folder import to_be_resumed
from mtlrun.runs.identity import require_own_model
from mtlrun.runs.logs import logged_to, tensorboard_command
from mtlrun.storage import hydra_folder
from mtlrun.storage.files import at_work, take_over
from mtlrun.storage.names import BEST, HYDRA_FOLDER, LOG, PLAN
from mtlrun.storage.results_table import rebuild
from mtlrun.storage.summary import ENDED, read, status_of
from mtlrun.storage.sweep_folder import STACKS, read_plan
from mtlrun.sweeps.closing import close_sweep
from mtlrun.sweeps.local_stacks import train_stacks
from mtlrun.sweeps.member_run import train_member
from mtlrun.util.errors import RequestError, StorageError
from mtlrun.util.shell import resume_command
from mtlrun.util.terminal import say, shown

log = logging.getLogger("mtlrun.sweeps.resuming")


def resume(folder: Path) -> int:
    """Resumes an interrupted run or sweep. Returns the exit status. Raises RequestError if the folder holds none."""
    with to_be_resumed(folder):
        if (folder / PLAN).is_file():
            with at_work(folder, alone=True):
                take_over(folder)
                return resume_sweep(folder)
        return _resume_run(folder)


# ---------------------------------------------------------------- a run


def _resume_run(folder: Path) -> int:
    """Resumes a run, which may belong to a sweep. Returns the exit status."""
    if not (folder / HYDRA_FOLDER / hydra_folder.CONFIG).is_file():
        raise RequestError(f"{folder}: there is no run in it\nallowed: the folder of a run or sweep, outputs/runs/...")
    if status_of(folder) == "completed":
        _require_own_model(folder)
        say(f"{shown(folder)}: finished already")
        return 0
    runs = _runs_in_its_stack(folder)
    if runs > 1:
        raise RequestError(
            f"{shown(folder)}: trains in a stack of {runs} runs\n"
            f"go on with all of them: {resume_command(folder.parent)}"
        )
    in_sweep = (folder.parent / PLAN).is_file()
    with contextlib.ExitStack() as cleanup:
        if in_sweep:
            cleanup.callback(rebuild, folder.parent)
        try:
            with at_work(folder.parent if in_sweep else folder, alone=True):
                take_over(folder)
                cleanup.enter_context(logged_to(folder / LOG))
                summary = single.resume(folder)
            log.info("results: %s", shown(folder))
            if summary["settings"]["trainer"]["tensorboard"]:
                log.info("%s", tensorboard_command(folder))
        except (RequestError, StorageError):
            raise
        except Exception as error:  # every error is recorded in the run's folder
            return say_failed(folder, note_failure(folder, error))
    return 0


def _require_own_model(folder: Path) -> None:
    """Raises RequestError if best.pt of the run in `folder` is damaged or belongs to another run."""
    if (folder / BEST).is_file():
        require_own_model(folder / BEST, checkpoint.load(folder / BEST))


def _runs_in_its_stack(folder: Path) -> int:
    """The number of runs in the stack of the run in `folder`; 1 for a run without a stack or one that has ended."""
    if not (folder.parent / PLAN).is_file() or status_of(folder) in ENDED:
        return 1
    plan = read_plan(folder.parent)
    number = next((job.get("stack") for job in plan if job["run"] == folder.name), None)
    return 1 if number is None else sum(job.get("stack") == number for job in plan)


# ---------------------------------------------------------------- a sweep


def resume_sweep(folder: Path) -> int:
    """Trains the unfinished runs of a sweep on this machine. Returns the exit status. Failed runs stay failed.

    A stack continues with all of its runs, but completed ones do not change. Raises RequestError if the data changed.
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
                run_folder.mkdir(exist_ok=True)  # it does not exist if the run never started
                with logged_to(run_folder / LOG):
                    train_member(folder, plan, number, configs[number], plan[number]["arguments"])
    finally:
        rows = rebuild(folder, ended=True)
    if all(row["status"] in ENDED for row in rows):
        shutil.rmtree(folder / STACKS, ignore_errors=True)  # a sweep that was killed at its end may leave it
    return close_sweep(folder, rows, configs)


def _say_finished(folder: Path, plan: Sequence[dict[str, Any]]) -> None:
    """Updates the table and prints that all runs have ended. Raises RequestError as `_require_own_model`."""
    for job in plan:
        _require_own_model(folder / job["run"])
    rebuild(folder)  # a sweep that was killed at its end may not have done it
    shutil.rmtree(folder / STACKS, ignore_errors=True)
    failures = [job["run"] for job in plan if status_of(folder / job["run"]) == "failed"]
    say(f"{shown(folder)}: finished already{f', {len(failures)} of {len(plan)} runs failed' if failures else ''}")
    if failures:
        say(f"to try one of them again: {resume_command(folder / failures[0])}")


def _configs(folder: Path, plan: Sequence[dict[str, Any]]) -> list[Config]:
    """The configuration of every run. Raises RequestError if the plan lacks a key that training needs.

    Also raises RequestError if a package that a run needs is not installed.
    """
    for number, job in enumerate(plan, 1):
        for key in ("arguments", "config", "steps"):
            if key not in job:
                raise RequestError(
                    f"{folder / PLAN}: run {number} has no {key}\nrestore the file, or sweep anew in another folder"
                )
        require(job.get("packages"))
    return [check_stored(job["config"]) for job in plan]


def _require_same_data(folder: Path, plan: Sequence[dict[str, Any]], configs: Sequence[Config]) -> None:
    """Raises RequestError if a table has changed since a run started on it."""
    for job, config in zip(plan, configs, strict=True):
        for begun_in in (folder / job["run"], folder / job["run"] / PRETRAIN):
            summary = read(begun_in)
            if summary is not None and (recorded := summary.get("data_hash")) is not None:
                mend = "restore the file, or sweep anew in another folder"
                require_unchanged(config.data, load_table(config)[0].digest, recorded, "this sweep began", mend)
