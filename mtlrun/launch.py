"""Composed requests, run by Hydra: one run in its folder, or the runs of a sweep through a launcher.

torch loads only when a run is prepared, so that a wrong request is answered without it.
"""

import json
import logging
import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.callbacks import Callbacks
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import run_job
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from mtlrun.compose import ROOT, Member, Request, checked_config, members, single
from mtlrun.config import Config, plain
from mtlrun.errors import RequestError, TrainingError
from mtlrun.results.files import write_text
from mtlrun.results.sweep import PLAN, TABLE, best, read_plan, rebuild, record_end, write_plan

log = logging.getLogger("mtlrun.launch")

MARKS_OF_A_RUN = (".hydra", "summary.json", "metrics.csv")
MARKS_OF_A_SWEEP = (PLAN, TABLE)


def run_one(request: Request) -> int:
    """Trains the one run that is asked for; the exit status.

    Raises RequestError before anything is written; KeyboardInterrupt passes.
    """
    config = single(request)
    print_notes(request)
    folder = _free_folder(request.cfg, "hydra.run.dir", MARKS_OF_A_RUN)
    from mtlrun.run import prepare

    run = prepare(config)

    def work() -> None:
        save_config(folder, config)
        run.train(folder)

    def task(_: DictConfig) -> str | None:
        error = _guarded(folder, work)
        if error is None:
            log.info("results: %s", shown(folder))
            if config.trainer.tensorboard:
                log.info("%s", tensorboard_command(folder))
        return error

    callbacks = Callbacks(request.cfg)
    callbacks.on_run_start(config=request.cfg, config_name=ROOT)
    context = HydraContext(config_loader=request.loader, callbacks=callbacks)
    try:
        job = run_job(task, request.cfg, job_dir_key="hydra.run.dir", job_subdir_key=None, hydra_context=context)
    except KeyboardInterrupt:
        if (folder / "checkpoints" / "last.pt").exists():
            print(f"mtlrun: go on with: mtlrun resume {shlex.quote(shown(folder))}", file=sys.stderr)
        raise
    callbacks.on_run_end(config=request.cfg, config_name=ROOT, job_return=job)
    return 0 if job.return_value is None else _say_failed(folder, job.return_value)


def run_sweep(request: Request) -> int:
    """Trains every run of a sweep through Hydra's launcher; the exit status.

    All members are checked, and their tables loaded, before any trains. Raises RequestError before
    anything is written; KeyboardInterrupt passes once results.csv says what was reached.
    """
    runs = members(request)
    print_notes(request)
    folder = _free_folder(request.cfg, "hydra.sweep.dir", MARKS_OF_A_SWEEP)
    _prepare_once_each(runs)
    print(f"{len(runs)} run{'s'[: len(runs) > 1]} in {shown(folder)}", flush=True)
    write_plan(folder, [{"run": member.run, "overrides": member.overrides} for member in runs])

    callbacks = Callbacks(request.cfg)
    callbacks.on_multirun_start(config=request.cfg, config_name=ROOT)
    context = HydraContext(config_loader=request.loader, callbacks=callbacks)
    # Hydra's sweeper would only compose every member once more before it calls the launcher.
    launcher = Plugins.instance().instantiate_launcher(context, run_member, request.cfg)
    try:
        launcher.launch([member.arguments for member in runs], initial_job_idx=0)
    finally:
        rows = rebuild(folder, ended=True)
    callbacks.on_multirun_end(config=request.cfg, config_name=ROOT)
    for line in _closing_lines(folder, rows, runs):
        print(line, flush=True)
    return 0 if all(row["status"] == "completed" for row in rows) else 1


def run_member(cfg: DictConfig) -> str | None:
    """One run of a sweep, called by the launcher, perhaps in a process of its own; its error, if it has one."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    plan = read_plan(folder.parent)
    log.info("run %d of %d: %s", HydraConfig.get().job.num + 1, len(plan), folder.name)

    def work() -> None:
        from mtlrun.run import prepare

        config = checked_config(cfg)
        save_config(folder, config)
        prepare(config).train(folder)

    try:
        error = _guarded(folder, work)
        if error is not None:
            log.error("%s failed: %s", folder.name, error)
    finally:
        rebuild(folder.parent)
    return error


def resume(folder: Path) -> int:
    """Goes on with an interrupted run; the exit status. Raises RequestError if the folder holds none."""
    if any((folder / mark).exists() for mark in MARKS_OF_A_SWEEP):
        raise RequestError(f"{folder}: resume of a sweep is not built yet\n"
                           f"single runs in it can be resumed: mtlrun resume {folder}/RUN")  # fmt: skip
    if not (folder / ".hydra" / "config.yaml").is_file():
        raise RequestError(f"{folder}: there is no run in it\nallowed: a run's folder, such as outputs/runs/...")
    if _status(folder) == "completed":
        print(f"{shown(folder)}: finished already")
        return 0
    from mtlrun.run import resume as resume_run

    _log_to(folder / "run.log")
    try:
        resume_run(folder)
        log.info("results: %s", shown(folder))
        log.info("%s", tensorboard_command(folder))
    except RequestError:
        raise
    except Exception as error:
        return _say_failed(folder, _note_failure(folder, error))
    finally:
        if (folder.parent / PLAN).exists():
            rebuild(folder.parent)
    return 0


def print_notes(request: Request) -> None:
    """What composing found worth a line."""
    for note in request.notes:
        print(note)


def save_config(folder: Path, config: Config) -> None:
    """Writes the complete checked configuration to FOLDER/.hydra/config.yaml, over what Hydra wrote."""
    (folder / ".hydra").mkdir(exist_ok=True)
    write_text(folder / ".hydra" / "config.yaml", yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True))


def shown(path: Path) -> str:
    """A path for people: relative where it lies below the working directory."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def tensorboard_command(folder: Path) -> str:
    """The command that opens TensorBoard on `folder`, with a path where its environment is not the active one."""
    beside = Path(sys.executable).parent / "tensorboard"
    found = shutil.which("tensorboard")
    program = "tensorboard" if found or not beside.exists() else shown(beside)
    return f"{shlex.quote(program)} --logdir {shlex.quote(shown(folder))}"


def _guarded(folder: Path, work: Callable[[], Any]) -> str | None:
    """Does the work of a run. None, or the error in one line if it failed; an interrupt is noted and passes."""
    try:
        work()
    except KeyboardInterrupt:
        record_end(folder, "interrupted")
        raise
    except Exception as error:
        return _note_failure(folder, error)
    return None


def _note_failure(folder: Path, error: Exception) -> str:
    """Puts an error into the run's summary.json and its traceback into run.log; the error in one line."""
    message = " ".join(str(error).split())
    if not isinstance(error, (TrainingError, RequestError)):
        message = f"{type(error).__name__}: {message}"
    record_end(folder, "failed", message)
    log.debug("the run failed", exc_info=error)  # the console shows INFO and above
    _drop_frames(error)
    return message


def _say_failed(folder: Path, message: str) -> int:
    print(f"mtlrun: the run failed: {message}\nits log: {shown(folder / 'run.log')}", file=sys.stderr)
    return 1


def _drop_frames(error: BaseException | None) -> None:
    """Hydra keeps exceptions, their frames keep tensors: let go of what a failed run held."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _free_folder(cfg: DictConfig, key: str, marks: tuple[str, ...]) -> Path:
    folder = Path(os.path.abspath(str(OmegaConf.select(cfg, key))))
    found = [mark for mark in marks if (folder / mark).exists()]
    if found:
        what = "run" if marks is MARKS_OF_A_RUN else "sweep"
        raise RequestError(f"{key}: {shown(folder)} holds a {what} already ({found[0]})\n"
                           f"choose another folder, or go on with it: mtlrun resume {shown(folder)}")  # fmt: skip
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"{key}: {shown(folder)} is a file\nallowed: a folder, new or without a run in it")
    return folder


def _prepare_once_each(runs: list[Member]) -> None:
    """Prepares one run for each table, set of tasks and device, for its errors alone."""
    from mtlrun.run import prepare

    seen = set()
    for member in runs:
        tree = plain(member.config)
        tree["data"]["split"].pop("seed")
        wanted = json.dumps(
            [tree["data"], tree["tasks"], tree["only"], tree["trainer"]["device"], tree["trainer"]["select"]],
            default=str,
        )
        if wanted not in seen:
            seen.add(wanted)
            try:
                prepare(member.config)
            except RequestError as error:
                raise RequestError(f"{error} (in {member.run})") from error


def _closing_lines(folder: Path, rows: list[dict[str, Any]], runs: list[Member]) -> list[str]:
    tasks = {name: task for member in runs for name, task in member.config.active.items() if task.role == "main"}
    lines = []
    for name, task in tasks.items():
        found = best(rows, name, task.primary)
        if found is not None:
            lines.append(f"best for {name}: {found[0]} ({found[1]} {found[2]:.6g})")
    failed = sum(row["status"] == "failed" for row in rows)
    if failed:
        lines.append(f"{failed} of {len(rows)} runs failed; the traceback is in the run.log of each")
    lines.append(f"results: {shown(folder / TABLE)}")
    if any(member.config.trainer.tensorboard for member in runs):
        lines.append(tensorboard_command(folder))
    return lines


def _status(folder: Path) -> str | None:
    summary = folder / "summary.json"
    return json.loads(summary.read_text()).get("status") if summary.is_file() else None


def _log_to(path: Path) -> None:
    """The handlers that conf/config.yaml gives a run, for a run that Hydra does not start."""
    console = logging.StreamHandler(sys.stdout)
    console.setLevel(logging.INFO)
    console.setFormatter(logging.Formatter("%(message)s"))
    file = logging.FileHandler(path)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.handlers[:] = [console, file]
    logging.getLogger("mtlrun").setLevel(logging.DEBUG)
