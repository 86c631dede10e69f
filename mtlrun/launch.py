"""Composed requests, run by Hydra: one run in its folder, or the runs of a sweep through a launcher.

torch loads only when a run is prepared, so that a wrong request is answered without it.
"""

import contextlib
import json
import logging
import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.callbacks import Callbacks
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import run_job
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from mtlrun.check import check
from mtlrun.compose import ROOT, Member, Request, checked_config, members, single
from mtlrun.config import Config, plain
from mtlrun.data.paths import require_files
from mtlrun.errors import RequestError, TrainingError
from mtlrun.results.files import write_text
from mtlrun.results.summary import read, record_end
from mtlrun.results.sweep import PLAN, TABLE, best, primary_metric, read_plan, rebuild, write_plan

log = logging.getLogger("mtlrun.launch")

MARKS_OF_A_RUN = (".hydra", "summary.json", "metrics.csv")
MARKS_OF_A_SWEEP = (PLAN, TABLE)


def run_one(request: Request) -> int:
    """Trains the one run that is asked for; the exit status.

    Raises RequestError before anything is written; KeyboardInterrupt passes.
    """
    config = single(request)
    print_notes(request)
    folder = _free_folder(request.cfg, "hydra.run.dir")
    require_files(config.data.path, config.data.split.files or {})
    from mtlrun.data.dataset import load_dataset

    load_dataset(config)  # what is wrong with the table is answered before torch is loaded; it is read once
    from mtlrun.run import prepare

    run = prepare(config)
    _claim(folder, "hydra.run.dir", folder / ".hydra")

    def work() -> None:
        save_config(folder, config)
        run.train(folder)

    def task(_: DictConfig) -> str | None:
        error = _guarded(folder, config, work)
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
        if _status(folder) != "completed":
            _say_how_to_go_on(folder)
        raise
    callbacks.on_run_end(config=request.cfg, config_name=ROOT, job_return=job)
    return 0 if job.return_value is None else _say_failed(folder, job.return_value)


def run_sweep(request: Request) -> int:
    """Trains every run of a sweep through Hydra's launcher; the exit status.

    All members are checked, and their data prepared, before any trains. Raises RequestError before
    anything is written; KeyboardInterrupt passes once results.csv says what was reached.
    """
    runs = members(request)
    print_notes(request)
    folder = _free_folder(request.cfg, "hydra.sweep.dir")
    check_members(runs)
    _claim(folder, "hydra.sweep.dir", folder / PLAN)
    print(f"{len(runs)} run{'s'[: len(runs) > 1]} in {shown(folder)}", flush=True)
    write_plan(folder, [
        {"run": m.run, "overrides": m.overrides, "arguments": m.arguments, "config": plain(m.config)} for m in runs
    ])  # fmt: skip

    callbacks = Callbacks(request.cfg)
    callbacks.on_multirun_start(config=request.cfg, config_name=ROOT)
    context = HydraContext(config_loader=request.loader, callbacks=callbacks)
    # Hydra's sweeper would only compose every member once more before it calls the launcher.
    launcher = Plugins.instance().instantiate_launcher(context, run_member, request.cfg)
    try:
        launcher.launch([member.arguments for member in runs], initial_job_idx=0)
    except KeyboardInterrupt:
        _say_how_to_go_on(folder)
        raise
    finally:
        rows = rebuild(folder, ended=True)
    callbacks.on_multirun_end(config=request.cfg, config_name=ROOT)
    return _close_sweep(folder, rows, [member.config for member in runs])


def run_member(cfg: DictConfig) -> str | None:
    """One run of a sweep, called by the launcher, perhaps in a process of its own; its error, if it has one."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    place = f"run {HydraConfig.get().job.num + 1} of {len(read_plan(folder.parent))}: {folder.name}"
    return _member(folder, place, checked_config(cfg))


def _member(folder: Path, place: str, config: Config) -> str | None:
    """Trains, or goes on with, one run of a sweep: one line on the terminal, the others in its own run.log."""

    def work() -> None:
        from mtlrun.results.progress import quiet_console

        with quiet_console():
            if (folder / "checkpoints" / "last.pt").exists():
                from mtlrun.run import resume

                summary = resume(folder)
            else:
                from mtlrun.run import prepare

                save_config(folder, config)
                rebuild(folder.parent)  # it is running now
                summary = prepare(config).train(folder)
        log.info("%s  %s", place, _headline(config, summary))

    try:
        error = _guarded(folder, config, work)
        if error is not None:
            log.error("%s  failed: %s", place, error)
    finally:
        rebuild(folder.parent)
    return error


def _headline(config: Config, summary: dict[str, Any]) -> str:
    """The primary test figures of a run in one line."""
    words = []
    for name, task in config.active.items():
        metric = primary_metric(summary["figures"], "test", name, task.primary)
        if task.role == "main" and metric is not None:
            words.append(f"{name} {metric} {summary['figures'][f'test/{name}/{metric}']:.4g}")
    return f"{'  '.join(words)}  ({summary['seconds']:.1f} s)"


def resume(folder: Path) -> int:
    """Goes on with an interrupted run or sweep; the exit status. Raises RequestError if the folder holds none."""
    if (folder / PLAN).is_file():
        return _resume_sweep(folder)
    if not (folder / ".hydra" / "config.yaml").is_file():
        raise RequestError(f"{folder}: there is no run in it\nallowed: the folder of a run or sweep, outputs/runs/...")
    if _status(folder) == "completed":
        print(f"{shown(folder)}: finished already")
        return 0
    from mtlrun.run import resume as resume_run

    handlers = _log_to(folder / "run.log")
    try:
        summary = resume_run(folder)
        log.info("results: %s", shown(folder))
        if summary["settings"]["trainer"]["tensorboard"]:
            log.info("%s", tensorboard_command(folder))
    except RequestError:
        raise
    except Exception as error:
        return _say_failed(folder, _note_failure(folder, error))
    finally:
        _close(handlers)
        if (folder.parent / PLAN).exists():
            rebuild(folder.parent)
    return 0


def _resume_sweep(folder: Path) -> int:
    """Trains what a sweep has not come to, in this process: runs interrupted or pending. Failed ones stay failed."""
    plan = read_plan(folder)
    left = [i for i, job in enumerate(plan) if _status(folder / job["run"]) not in ("completed", "failed")]
    if not left:
        print(f"{shown(folder)}: finished already")
        return 0
    print(f"{len(left)} of {len(plan)} runs are left in {shown(folder)}", flush=True)
    configs = [check(job["config"]) for job in plan]
    try:
        for number in left:
            run_folder = folder / plan[number]["run"]
            typed = run_folder / ".hydra" / "overrides.yaml"
            if not typed.exists():  # a run that Hydra did not come to
                write_text(typed, yaml.safe_dump(plan[number]["arguments"], allow_unicode=True))
            handlers = _log_to(run_folder / "run.log")
            try:
                _member(run_folder, f"run {number + 1} of {len(plan)}: {run_folder.name}", configs[number])
            finally:
                _close(handlers)
    except KeyboardInterrupt:
        _say_how_to_go_on(folder)
        raise
    finally:
        rows = rebuild(folder, ended=True)
    return _close_sweep(folder, rows, configs)


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


def _guarded(folder: Path, config: Config, work: Callable[[], Any]) -> str | None:
    """Does the work of a run. None, or the error in one line if it failed; an interrupt is noted and passes."""
    try:
        work()
    except KeyboardInterrupt:
        record_end(folder, "interrupted", seed=config.seed, settings=plain(config))
        raise
    except Exception as error:
        return _note_failure(folder, error, config)
    return None


def _note_failure(folder: Path, error: Exception, config: Config | None = None) -> str:
    """Puts an error into the run's summary.json and its traceback into run.log; the error in one line."""
    message = "; ".join(line.strip() for line in str(error).splitlines())
    if not isinstance(error, (TrainingError, RequestError)):
        message = f"{type(error).__name__}: {message}"
    known = {"seed": config.seed, "settings": plain(config)} if config is not None else {}
    record_end(folder, "failed", message, **known)
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


def _say_how_to_go_on(folder: Path) -> None:
    print(f"mtlrun: go on with: mtlrun resume {shlex.quote(shown(folder))}", file=sys.stderr)


def _free_folder(cfg: DictConfig, key: str) -> Path:
    """The folder that `key` names. Raises RequestError if it holds a run or a sweep already."""
    folder = Path(os.path.abspath(str(OmegaConf.select(cfg, key))))
    _refuse_if_taken(folder, key)
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"{key}: {shown(folder)} is a file\nallowed: a folder, new or without a run in it")
    return folder


def _refuse_if_taken(folder: Path, key: str) -> None:
    found = next((mark for mark in (*MARKS_OF_A_SWEEP, *MARKS_OF_A_RUN) if (folder / mark).exists()), None)
    if found is not None:
        what = "sweep" if found in MARKS_OF_A_SWEEP else "run"
        raise RequestError(f"{key}: {shown(folder)} holds a {what} already ({found})\n"
                           f"choose another folder, or go on with it: mtlrun resume {shown(folder)}")  # fmt: skip


def _claim(folder: Path, key: str, mark: Path) -> None:
    """Makes the folder, and in one step the mark that says it is taken: of two commands at once, one gets it.

    Raises RequestError if the folder cannot be made or was taken meanwhile.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if mark.name == PLAN:
            mark.open("x").close()
        else:
            mark.mkdir()
    except OSError as error:
        if isinstance(error, FileExistsError):
            _refuse_if_taken(folder, key)
        raise RequestError(f"{key}: cannot make {shown(folder)} ({error.strerror})\n"
                           "allowed: a folder, new or without a run in it") from error  # fmt: skip


@contextlib.contextmanager
def _in(member: Member) -> Iterator[None]:
    """Says in which run of a sweep a request is wrong."""
    try:
        yield
    except RequestError as error:
        raise RequestError(f"{error} (in {member.run})") from error


def check_members(runs: list[Member]) -> None:
    """Loads the data of every member, and builds one run for each set of tasks and sizes, for their errors alone."""
    for member in runs:
        with _in(member):
            require_files(member.config.data.path, member.config.data.split.files or {})
    from mtlrun.data.dataset import load_dataset
    from mtlrun.run import prepare

    loaded, built = set(), set()
    for member in runs:
        tree = plain(member.config)
        data = json.dumps([tree["data"], tree["tasks"], tree["only"]], default=str)
        del tree["data"]["split"]["seed"]
        sizes = [tree["data"], tree["tasks"], tree["only"], tree["model"], tree["graph"], tree["trainer"]]
        shape = json.dumps(sizes, default=str)
        with _in(member):
            if shape not in built:
                prepare(member.config)
            elif data not in loaded:
                load_dataset(member.config)
        loaded.add(data)
        built.add(shape)


def _close_sweep(folder: Path, rows: list[dict[str, Any]], configs: list[Config]) -> int:
    """Says what came of a sweep; the exit status."""
    tasks = {name: task for config in configs for name, task in config.active.items() if task.role == "main"}
    for name, task in tasks.items():
        found = best(rows, name, task.primary)
        if found is not None:
            print(f"best for {name}: {found[0]} ({found[1]} {found[2]:.6g})")
    if len({config.data.split.seed for config in configs}) > 1:
        print("seeds have different splits: compare settings by their means over seeds")
    failed = sum(row["status"] == "failed" for row in rows)
    if failed:
        print(f"{failed} of {len(rows)} runs failed; the traceback is in the run.log of each")
    print(f"results: {shown(folder / TABLE)}")
    if any(config.trainer.tensorboard for config in configs):
        print(tensorboard_command(folder), flush=True)
    return 0 if all(row["status"] == "completed" for row in rows) else 1


def _status(folder: Path) -> str | None:
    summary = read(folder)
    return summary["status"] if summary is not None else None


def _log_to(path: Path) -> list[logging.Handler]:
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
    return [console, file]


def _close(handlers: list[logging.Handler]) -> None:
    """Takes handlers off the root logger and closes their files."""
    for handler in handlers:
        logging.getLogger().removeHandler(handler)
        handler.close()
