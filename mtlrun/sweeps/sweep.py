"""The runs of a sweep, through a launcher: as stacks, or one run per job.

What a sweep consists of stands in its folder's sweep.json before any run trains: a worker, wherever it is, and a
later `mtlrun resume` need nothing else.
"""

import contextlib
import json
import logging
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mtlrun.compose import ROOT, PlannedRun, Request, checked_config, planned_runs
from mtlrun.config.check import check
from mtlrun.config.extensions import require, used_by
from mtlrun.config.schema import Config, as_mapping, config_hash
from mtlrun.config.stages import PRETRAIN, first_stage
from mtlrun.data.paths import require_files
from mtlrun.results import hydra_folder
from mtlrun.results.files import at_work
from mtlrun.results.summary import ENDED, read, status_of
from mtlrun.results.sweep_folder import (
    PLAN,
    STACKS,
    TABLE,
    best,
    causes,
    primary_metric,
    read_plan,
    rebuild,
    write_plan,
)
from mtlrun.runs.launch import (
    claimed,
    close_log,
    free_folder,
    guarded,
    log_to,
    print_notes,
    say_how_to_go_on,
    shown,
    tensorboard_command,
    to_be_resumed,
)
from mtlrun.sweeps.stacks import Division, Limits, Size, divide, size
from mtlrun.util.errors import RequestError, StorageError, listing, nearest
from mtlrun.util.terminal import say

log = logging.getLogger("mtlrun.sweeps.sweep")

STACK = "hydra_plugins.mtlrun_stack.launcher.StackLauncher"
PACKAGES = {
    "joblib": "'mtlrun[joblib]'",
    "submitit_local": "'mtlrun[submitit]'",
    "submitit_slurm": "'mtlrun[submitit]'",
    "ray": "hydra-ray-launcher",  # no extra: it asks for older releases than those that mtlrun is tested with
}
OVER = tuple(PACKAGES)
TABLE_SECONDS = 0.5  # between two writings of results.csv while stacks train, at least
TABLE_SHARE = 20  # and at least so many times what the last one took: with a thousand runs it takes a tenth of a second
ERROR_WIDTH = 160  # of an error in the summary of a sweep
LOCAL = (None, "joblib", "submitit_local")


@dataclass(frozen=True)
class StackSettings:
    """hydra.launcher of `hydra/launcher=stack`, checked."""

    over: str | None
    options: dict[str, Any]
    processes: int | None
    max_runs: int | None


def stack_settings(request: Request) -> StackSettings | None:
    """What the launcher of stacks was asked for; None where another launcher was chosen.

    Raises RequestError for a launcher that cannot take stacks or is not installed, and for counts below 1.
    """
    tree = OmegaConf.to_container(request.cfg.hydra.launcher, resolve=True)
    assert isinstance(tree, dict)
    if tree.pop("_target_") != STACK:
        return None
    options = tree["options"] = {} if tree["options"] is None else tree["options"]
    if not isinstance(options, dict):
        raise RequestError(f"hydra.launcher.options: found {options}\nallowed: a mapping, such as {{n_jobs: 2}}")
    found = StackSettings(**{str(key): value for key, value in tree.items()})
    if found.over is not None:
        installed = request.loader.get_group_options("hydra/launcher")
        if found.over not in OVER:
            raise RequestError(
                f"hydra.launcher.over: found {found.over}{nearest(found.over, OVER)}\nallowed: {listing(OVER)}"
            )
        if found.over not in installed:
            raise RequestError(
                f"hydra.launcher.over: {found.over} is not installed\ninstall it: pip install {PACKAGES[found.over]}"
            )
        if found.over == "submitit_slurm" and shutil.which("srun") is None:
            raise RequestError(
                "hydra.launcher.over: submitit_slurm needs SLURM, and there is no srun here\n"
                "on this machine: hydra.launcher.over=submitit_local"
            )
        over_config(request.loader, found.over, found.options, Path(str(request.cfg.hydra.sweep.dir)))
    elif found.options:
        raise RequestError(
            "hydra.launcher.options: they belong to the launcher that hydra.launcher.over names\n"
            f"add hydra.launcher.over={listing(OVER)}, or leave them out"
        )
    for key in ("processes", "max_runs"):
        count = getattr(found, key)
        if count is not None and count < 1:
            raise RequestError(f"hydra.launcher.{key}: found {count}\nallowed: a whole number from 1")
    return found


def division(runs: Sequence[PlannedRun], sizes: Sequence[Size], settings: StackSettings) -> tuple[Division, Limits]:
    """How the runs divide into stacks, and the limits that say so."""
    limits = Limits(settings.processes or default_processes([m.config for m in runs], settings.over), settings.max_runs)
    return divide(sizes, limits), limits


def default_processes(configs: Sequence[Config], over: str | None = None) -> int:
    """One per core, or per `trainer.threads` cores; one where stacks train on a CUDA device or cannot be forked, and
    where the workers' machines are not known here."""
    from mtlrun.engine.hardware import cores, forks

    if over not in LOCAL or (over is None and not forks(configs)):
        return 1
    return max(1, cores() // max(c.trainer.threads or 1 for c in configs))


def run_sweep(request: Request) -> int:
    """Trains every run of a sweep through Hydra's launcher; the exit status.

    All members are checked, and their data prepared, before any trains. Raises RequestError before
    anything is written; KeyboardInterrupt passes once results.csv says what was reached.
    """
    settings = stack_settings(request)
    runs = planned_runs(request)
    print_notes(request)
    for line in _repeats(runs):
        say(line)
    folder = free_folder(request.cfg, "hydra.sweep.dir")
    sizes = check_members(runs)
    plan: list[dict[str, Any]] = [
        {
            "run": m.run,
            "overrides": m.overrides,
            "arguments": m.arguments,
            "config": as_mapping(m.config),
            "steps": s.steps,
        }
        | ({"arm": m.arm} if m.arm else {})
        | ({"drawn": list(m.drawn)} if m.drawn else {})
        | ({"packages": used} if (used := used_by(m.config)) else {})
        | {"data_hash": data_hash(m.config)}
        for m, s in zip(runs, sizes, strict=True)
    ]
    words = f"{len(runs)} run{'s'[: len(runs) > 1]}"
    if settings is not None:
        divided, limits = division(runs, sizes, settings)
        for job, number in zip(plan, divided.of_each(), strict=True):
            job["stack"] = number
            if settings.over is None:
                job["processes"] = limits.processes  # the stacks' memory and threads are made for so many
        words += f" in {_counted(divided, limits, settings)},"
    ahead = _forecast(request, runs, sizes, settings)
    with to_be_resumed(folder):
        with claimed(folder, "hydra.sweep.dir"):
            write_plan(folder, plan, request.command)
        say("\n".join([f"{words} in {shown(folder)}", *ahead]))
        return _train_sweep(request, folder, runs, settings)


def _train_sweep(request: Request, folder: Path, runs: Sequence[PlannedRun], settings: StackSettings | None) -> int:
    """Trains the runs of a sweep whose folder holds its plan; the exit status."""

    callbacks = _Callbacks(request.cfg)
    callbacks.on_multirun_start(config=request.cfg, config_name=ROOT)
    context = HydraContext(config_loader=request.loader, callbacks=callbacks)
    # Hydra's sweeper would only compose every member once more before it calls the launcher.
    launcher = Plugins.instance().instantiate_launcher(context, run_member, request.cfg)
    jobs = [member.arguments for member in runs]
    try:
        with at_work(folder):
            if settings is None:
                _launch(launcher, request.cfg.hydra.runtime.choices["hydra/launcher"], jobs)
            else:
                launcher.launch(jobs, initial_job_idx=0)
    finally:
        rows = rebuild(folder, ended=True)
    callbacks.on_multirun_end(config=request.cfg, config_name=ROOT)
    return _close_sweep(folder, rows, [member.config for member in runs])


def data_hash(config: Config) -> str:
    """What tells the table of a run, as it is now, from another."""
    from mtlrun.data.dataset import load_table

    return load_table(config.data)[0].digest


def _forecast(
    request: Request, runs: Sequence[PlannedRun], sizes: Sequence[Size], settings: StackSettings | None
) -> list[str]:
    """Lines on what a sweep needs: seeds, and time, where it trains on this machine as far as that is known."""
    from mtlrun.sweeps.forecast import seeds_line, time_line

    lines = [line for line in [seeds_line(runs)] if line is not None]
    if settings is None:
        if request.cfg.hydra.runtime.choices["hydra/launcher"] == "basic":
            divided = divide(sizes, Limits(1, max_runs=1))
            lines.append(time_line(runs, sizes, divided, 1))
    elif settings.over is None:
        divided, limits = division(runs, sizes, settings)
        lines.append(time_line(runs, sizes, divided, limits.processes))
    return lines


class _Callbacks(Callbacks):
    """Hydra's, but that a launcher keeps no job's configurations: 0.2 MB for each run of a sweep."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **other: Any) -> None:
        super().on_job_end(config=config, job_return=job_return, **other)
        job_return.cfg = job_return.hydra_cfg = None


def describe(request: Request) -> str:
    """What `mtlrun check -m` prints: how the sweep divides into stacks and why, and its runs."""
    settings = stack_settings(request)
    runs = planned_runs(request)
    sizes = check_members(runs)
    words = f"{len(runs)} run{'s'[: len(runs) > 1]}"
    lines = [member.run for member in runs]
    ahead = _forecast(request, runs, sizes, settings)
    if settings is None:
        return "\n".join([f"{words}, one per job:", *ahead, *_repeats(runs), *lines])
    divided, limits = division(runs, sizes, settings)
    lines = [f"{run}  stack {number}" for run, number in zip(lines, divided.of_each(), strict=True)]
    words = f"{words} in {_counted(divided, limits, settings)}"
    return "\n".join([words, *ahead, divided.describe(), *_repeats(runs), *lines])


def _repeats(runs: Sequence[PlannedRun]) -> list[str]:
    """A line where runs of model=boosting differ in nothing that it has."""
    hashes = [config_hash(member.config) for member in runs if member.config.boosting]
    equal = len(hashes) - len(set(hashes))
    if not equal:
        return []
    return [
        f"{equal} of {len(hashes)} runs of model=boosting repeat another: it has no loss strategy, rates, edges or "
        "batches; give it an arm of its own"
    ]


def _counted(divided: Division, limits: Limits, settings: StackSettings) -> str:
    stacks = f"{len(divided.stacks)} stack{'s'[: len(divided.stacks) > 1]}"
    if settings.over is not None:
        return f"{stacks} for the workers of {settings.over}"
    at_once = min(limits.processes, len(divided.stacks))
    return stacks if at_once == 1 else f"{stacks}, {at_once} at a time"


# ---------------------------------------------------------------- as stacks


def launch_stacks(context: HydraContext, cfg: DictConfig) -> list[JobReturn]:
    """Trains the stacks of the sweep in `hydra.sweep.dir`, called by the launcher."""
    folder = Path(str(cfg.hydra.sweep.dir)).absolute()
    launcher = cfg.hydra.launcher
    plan = read_plan(folder)
    numbers = sorted({int(job["stack"]) for job in plan})
    if launcher.over is None:
        train_stacks(folder, numbers, launcher.processes)
    else:
        own = over_config(context.config_loader, launcher.over, launcher.options or {}, folder)
        _launch(Plugins.instance().instantiate_launcher(context, run_stack, own), launcher.over, [[] for _ in numbers])
    returns = []
    for job in plan:
        completed = status_of(folder / job["run"]) == "completed"
        returned = JobReturn(overrides=job["arguments"], working_dir=str(folder / job["run"]))
        returned.status = JobStatus.COMPLETED if completed else JobStatus.FAILED
        returned.return_value = None if completed else RuntimeError(job["run"])
        returns.append(returned)
    return returns


def train_stacks(folder: Path, numbers: Sequence[int], processes: int | None) -> None:
    """Trains the given stacks of a sweep, as far as they are not done, in so many processes of this machine.

    None: as many as the rule says; 0: in this process.
    """
    from mtlrun.results.progress import SweepProgress
    from mtlrun.sweeps.pool import Job, Work, train_all

    plan = read_plan(folder)
    for job in plan:
        require(job.get("packages"))  # a worker on another machine may lack one
    jobs: dict[int, Job] = {}
    works, left = [], {}
    ended = {n for n, job in enumerate(plan) if status_of(folder / job["run"]) in ENDED}
    for number in numbers:
        own = [n for n, job in enumerate(plan) if job.get("stack") == number]
        if not ended.issuperset(own):
            jobs |= {
                n: Job(
                    n, folder / plan[n]["run"], plan[n]["arguments"], check(plan[n]["config"]), plan[n].get("data_hash")
                )
                for n in own
            }
            works.append(Work(number, folder, [jobs[n] for n in own]))
            left[number] = sum(plan[n]["steps"] for n in own)

    written = {"at": 0.0, "took": 0.0}

    def close(numbers: list[int]) -> list[str]:
        if time.monotonic() - written["at"] > max(TABLE_SECONDS, TABLE_SHARE * written["took"]):
            began = time.monotonic()
            with contextlib.suppress(StorageError):  # it is derived, and written once more at the end
                rebuild(folder)
            written.update(at=time.monotonic(), took=time.monotonic() - began)
        return [_line_of(n, len(plan), folder / plan[n]["run"], jobs[n].config) for n in numbers]

    if processes is None:
        processes = default_processes([job.config for job in jobs.values()])
    with SweepProgress(len(plan), len(ended), left, close, alone=processes > 0) as display:
        train_all(works, processes, display)
    with contextlib.suppress(StorageError):
        rebuild(folder)


def _line_of(number: int, count: int, folder: Path, config: Config) -> str:
    place, summary = f"run {number + 1} of {count}: {folder.name}", read(folder)
    if summary is None:
        return f"{place}  failed: its folder cannot be written"
    if summary["status"] == "failed":
        return f"{place}  failed: {summary['error']}"
    return f"{place}  {_headline(config, summary)}"


def over_config(loader: ConfigLoader, over: str, options: Mapping[str, Any], folder: Path) -> DictConfig:
    """The configuration under which the launcher `over` trains stacks, each in a folder of its own below .stacks.

    Raises RequestError for an option that the launcher does not have, or not with such a value.
    """
    quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    overrides = [f"hydra/launcher={over}", f"hydra.sweep.dir='{quoted}'", "hydra.sweep.subdir=.stacks/${hydra.job.num}"]
    own = loader.load_configuration(ROOT, overrides, RunMode.MULTIRUN, validate_sweep_overrides=False)
    known = [key for key in map(str, own.hydra.launcher) if key != "_target_"]
    for key, value in {str(k): v for k, v in options.items()}.items():
        if key not in known:
            raise RequestError(
                f"hydra.launcher.options.{key}: {over} has no such key"
                f"{nearest(key, known)}\nallowed: {listing(known, 30)}"
            )
        try:
            own.hydra.launcher[key] = value
        except OmegaConfBaseException as error:
            raise RequestError(
                f"hydra.launcher.options.{key}: found {value!r}\n{over} says: {str(error).splitlines()[0]}"
            ) from error
    return own


def _launch(launcher: Launcher, name: str, jobs: list[list[str]]) -> None:
    """Has another launcher's workers do the jobs, and says what went wrong with a worker, as opposed to its runs."""
    try:
        returned = launcher.launch(jobs, initial_job_idx=0)
    except Exception as error:  # of a worker that was killed, or of a machine that is not there
        wrong: list[Any] = [error]
    else:
        wrong = [job._return_value for job in returned if job.status == JobStatus.FAILED]
    for reason in wrong:
        words = " ".join(str(reason).split())
        say(f"mtlrun: {name}: {type(reason).__name__}: {words[:500]}", error=True)


def run_stack(cfg: DictConfig) -> None:
    """One stack of a sweep, called by another launcher in a worker: in this process, by default on one thread."""
    from mtlrun.engine import hardware

    hardware.most_threads = 1
    here = HydraConfig.get()
    with at_work(Path(here.sweep.dir)):
        train_stacks(Path(here.sweep.dir), [here.job.num], processes=0)


# ---------------------------------------------------------------- one run per job


def run_member(cfg: DictConfig) -> str | None:
    """One run of a sweep, called by the launcher, perhaps in a process of its own; its error, if it has one."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    plan, number = read_plan(folder.parent), HydraConfig.get().job.num
    place = f"run {number + 1} of {len(plan)}: {folder.name}"
    with at_work(folder.parent):
        return _member(folder, place, checked_config(cfg), list(HydraConfig.get().overrides.task), plan[number])


def _member(folder: Path, place: str, config: Config, words: Sequence[str], job: Mapping[str, Any]) -> str | None:
    """Trains, or goes on with, one run of a sweep: one line on the terminal, the others in its own run.log."""

    def work() -> None:
        from mtlrun.data.dataset import load_dataset, require_unchanged
        from mtlrun.results.progress import quiet_console

        with quiet_console():
            if (folder / "checkpoints" / "last.pt").exists():
                from mtlrun.runs.run import resume

                summary = resume(folder)
            else:
                from mtlrun.runs.run import prepare

                hydra_folder.write(folder, as_mapping(config), words)
                rebuild(folder.parent)  # it is running now
                require_unchanged(load_dataset(config), config, job.get("data_hash"), "sweep")
                summary = prepare(config).train(folder)
        log.info("%s  %s", place, _headline(config, summary))

    try:
        error = guarded(folder, config, work)
        if error is not None:
            log.error("%s  failed: %s", place, error)
    finally:
        rebuild(folder.parent)
    return error


def _headline(config: Config, summary: Mapping[str, Any]) -> str:
    """The primary test figures of a run in one line, and how many of its steps were skipped."""
    words, figures = [], summary["figures"]
    for name, task in config.active.items():
        metric = primary_metric(figures, "test", name, task.primary_metric)
        if task.role == "main" and metric is not None:
            words.append(f"{name} {metric} {figures[f'test/{name}/{metric}']:.4g}")
    skipped = f", {summary['skipped']} of {summary['steps']} steps skipped" if summary.get("skipped") else ""
    return f"{'  '.join(words)}  ({summary['seconds']:.1f} s{skipped})"


# ---------------------------------------------------------------- going on


def resume_sweep(folder: Path) -> int:
    """Trains what a sweep has not come to, on this machine; the exit status. Failed runs stay failed.

    A stack goes on as it was, with completed runs frozen in their places. Raises RequestError where the data changed.
    """
    plan = read_plan(folder)
    left = [i for i, job in enumerate(plan) if status_of(folder / job["run"]) not in ENDED]
    if not left:
        rebuild(folder)  # a sweep that was killed at its end has not come to it
        shutil.rmtree(folder / STACKS, ignore_errors=True)
        failures = [job["run"] for job in plan if status_of(folder / job["run"]) == "failed"]
        failed = len(failures)
        say(f"{shown(folder)}: finished already{f', {failed} of {len(plan)} runs failed' if failed else ''}")
        if failures:
            say(f"to try one of them again: mtlrun resume {shlex.quote(shown(folder / failures[0]))}")
        return 0
    say(f"{len(left)} of {len(plan)} runs are left in {shown(folder)}")
    for number, job in enumerate(plan, 1):
        for key in ("arguments", "config", "steps"):
            if key not in job:
                raise RequestError(
                    f"{folder / PLAN}: run {number} has no {key}\nrestore the file, or sweep anew in another folder"
                )
        require(job.get("packages"))
    configs = [check(job["config"]) for job in plan]
    _require_same_data(folder, plan, configs)
    stacks = sorted({plan[i]["stack"] for i in left if "stack" in plan[i]})
    try:
        if stacks:
            train_stacks(folder, stacks, plan[left[0]].get("processes"))
        for number in left:
            if "stack" not in plan[number]:
                _resume_member(folder, plan, number, configs[number])
    finally:
        rows = rebuild(folder, ended=True)
    if all(row["status"] in ENDED for row in rows):
        shutil.rmtree(folder / STACKS, ignore_errors=True)  # perhaps left of one that was killed at its end
    return _close_sweep(folder, rows, configs)


def _resume_member(folder: Path, plan: list[dict[str, Any]], number: int, config: Config) -> None:
    run_folder = folder / plan[number]["run"]
    run_folder.mkdir(exist_ok=True)  # of a run that the sweep did not come to
    handlers = log_to(run_folder / "run.log")
    try:
        _member(
            run_folder,
            f"run {number + 1} of {len(plan)}: {run_folder.name}",
            config,
            plan[number]["arguments"],
            plan[number],
        )
    finally:
        close_log(handlers)


def _require_same_data(folder: Path, plan: list[dict[str, Any]], configs: Sequence[Config]) -> None:
    """Raises RequestError if a run has begun on a table that is not the same any more."""
    from mtlrun.data.dataset import load_table

    for job, config in zip(plan, configs, strict=True):
        for place in (folder / job["run"], folder / job["run"] / PRETRAIN):
            begun = read(place)
            if begun is not None and begun.get("data_hash") not in (None, load_table(config.data)[0].digest):
                raise RequestError(
                    f"data.path: {config.data.path} has changed since this sweep began\n"
                    "restore the file, or sweep anew in another folder"
                )


def part_of_a_stack(folder: Path) -> int:
    """How many runs the stack has that the run in `folder` trains in; 1 for a run on its own, or one that has ended."""
    if not (folder.parent / PLAN).is_file() or status_of(folder) in ENDED:
        return 1
    plan = read_plan(folder.parent)
    own = next((job.get("stack") for job in plan if job["run"] == folder.name), None)
    return 1 if own is None else sum(job.get("stack") == own for job in plan)


# ---------------------------------------------------------------- before and after


@contextlib.contextmanager
def _in(member: PlannedRun) -> Iterator[None]:
    """Says in which run of a sweep a request is wrong."""
    try:
        yield
    except RequestError as error:
        raise RequestError(f"{error} (in {member.run})") from error


def check_members(runs: list[PlannedRun]) -> list[Size]:
    """Loads the data of every member, and builds one run for each set of tasks and sizes, for their errors.

    Returns their sizes. Raises RequestError that says in which run a request is wrong.
    """
    for member in runs:
        with _in(member):
            require_files(member.config.data.path, member.config.data.split.files or {})
    from mtlrun.data.dataset import load_dataset

    for member in runs[:1]:  # what is wrong with the table is answered before torch loads
        with _in(member):
            load_dataset(member.config)
    from mtlrun.engine.hardware import one_thread
    from mtlrun.engine.select import require_selection
    from mtlrun.runs.build import build_stack
    from mtlrun.runs.transfer import start_of

    built, sizes = set(), []
    with one_thread():
        for member in runs:
            tree = as_mapping(member.config)
            del tree["data"]["split"]["seed"]
            parts = [tree["data"], tree["tasks"], tree["only"], tree["model"], tree.get("graph"), tree["trainer"]]
            shape = json.dumps(parts, default=str)
            with _in(member):
                dataset = load_dataset(member.config)
                require_selection(member.config, dataset)
                first = first_stage(member.config)
                before = None if first is None else load_dataset(first)
                if shape not in built:
                    build_stack([member.config], [dataset], [start_of(member.config, dataset.spec)])
                    if first is not None and before is not None:
                        build_stack([first], [before])
                    built.add(shape)
            sizes.append(size(member.config, dataset, before))
    return sizes


def _comparing(folder: Path) -> str:
    """The command that compares a sweep, with the keys of which its arms list, or its trials draw, values."""
    from mtlrun.compare.collect.shell_commands import compare_command
    from mtlrun.compose.plans import tune_of

    plan = read_plan(folder)
    arms = dict.fromkeys(job["arm"] for job in plan if "arm" in job)
    keys = dict.fromkeys(key for own in tune_of(arms).values() for key in own)
    keys |= dict.fromkeys(key for job in plan for key in job.get("drawn", ()))
    return f"compare: {compare_command([shown(folder)], *(['--tune', ','.join(keys)] if keys else []))}"


def _close_sweep(folder: Path, rows: list[dict[str, Any]], configs: list[Config]) -> int:
    """Says what came of a sweep; the exit status."""
    tasks = {name: task for config in configs for name, task in config.active.items() if task.role == "main"}
    if not any(row["status"] == "completed" for row in rows):
        tasks = {}  # there is nothing to be said of them
    if len({config.data.path for config in configs}) > 1:
        say("runs of different tables: compare those of one table only")
        tasks = {}
    for name, task in tasks.items():
        found = best(rows, name, task.primary_metric)
        if found is not None:
            say(f"best for {name}: {found[0]} ({found[1]} {found[2]:.6g})")
    drawn = [
        split.seed for c in configs if (split := c.data.split).column is None and "test" not in (split.files or {})
    ]
    if len(set(drawn)) > 1 and any(row["status"] == "completed" for row in rows):
        say("seeds have different splits: compare settings by their means over seeds")
    failed = sum(row["status"] == "failed" for row in rows)
    if failed:
        say(f"{failed} of {len(rows)} runs failed; why is in the run.log of each:")
        for count, error, run in causes(rows):
            say(f"  {count} × {error[:ERROR_WIDTH]}{'…'[: len(error) > ERROR_WIDTH]}  ({run})")
    left = sum(row["status"] not in ENDED for row in rows)
    if left:  # of workers that did not come to their end
        say(f"{left} of {len(rows)} runs are left")
        say_how_to_go_on(folder)
    say(f"results: {shown(folder / TABLE)}")
    if len(rows) > 1 and tasks:
        say(_comparing(folder))
    if any(config.trainer.tensorboard for config in configs):
        say(tensorboard_command(folder))
    return 0 if all(row["status"] == "completed" for row in rows) else 1
