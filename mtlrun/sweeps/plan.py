"""The plan of a sweep before it trains: the checked runs, their division into stacks, and the list of jobs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mtlrun.compose import PlannedRun
from mtlrun.config.extensions import used_by
from mtlrun.config.schema import Config, as_mapping
from mtlrun.config.stages import first_stage
from mtlrun.data.dataset import load_dataset, load_table
from mtlrun.engine.hardware import cores, forks, one_thread
from mtlrun.engine.select import require_selection
from mtlrun.runs.build import build_stack
from mtlrun.runs.size import Size, size
from mtlrun.runs.transfer import start_of
from mtlrun.sweeps import forecast
from mtlrun.sweeps.division import Division, Limits, divide
from mtlrun.sweeps.launchers import StackSettings
from mtlrun.sweeps.lengths import length_lines
from mtlrun.sweeps.seeds import seeds_line
from mtlrun.sweeps.tables import in_run, require_tables
from mtlrun.util.errors import counted

LOCAL = (None, "joblib", "submitit_local")  # launchers whose workers are on this machine; None: processes of mtlrun


@dataclass(frozen=True)
class SweepPlan:
    """The runs of a sweep and their sizes. `stacks` is None if each run is a job of `launcher`."""

    runs: Sequence[PlannedRun]
    sizes: Sequence[Size]
    launcher: str
    stacks: "Stacks | None"

    @property
    def division(self) -> Division | None:
        """The division of the runs into stacks, if they train in stacks."""
        return None if self.stacks is None else self.stacks.division

    def jobs(self) -> list[dict[str, Any]]:
        """The job list for sweep.json."""
        jobs = [_job(run, run_size) for run, run_size in zip(self.runs, self.sizes, strict=True)]
        if self.stacks is not None:
            for job, number in zip(jobs, self.stacks.division.of_each(), strict=True):
                job["stack"] = number
                if self.stacks.over is None:
                    # the division of memory and threads assumes this number
                    job["processes"] = self.stacks.limits.processes
        return jobs

    def forecast(self) -> list[str]:
        """Lines on the number of seeds and on the time that a sweep needs, and on the lengths of its trainings.

        The time is estimated only for the launchers stack and basic, which train on this machine.
        """
        seeds = seeds_line(self.runs)
        lines = [] if seeds is None else [seeds]
        if self.stacks is None:
            if self.launcher == "basic":
                one_by_one = divide(self.sizes, Limits(1, max_runs=1))
                lines.append(forecast.time_line(self.runs, self.sizes, one_by_one, 1))
        elif self.stacks.over is None:
            division, processes = self.stacks.division, self.stacks.limits.processes
            lines.append(forecast.time_line(self.runs, self.sizes, division, processes))
        return [*lines, *length_lines(self.runs, self.sizes)]

    def stacks_in_words(self) -> str:
        """The number of stacks, and how many of them train in parallel."""
        assert self.stacks is not None, "they train as stacks"
        count = len(self.stacks.division.stacks)
        words = counted(count, "stack")
        if self.stacks.over is not None:
            return f"{words} for the workers of {self.stacks.over}"
        at_once = min(self.stacks.limits.processes, count)
        return words if at_once == 1 else f"{words}, {at_once} at a time"


@dataclass(frozen=True)
class Stacks:
    """The division of a sweep into stacks, the limits behind it, and the launcher whose workers train them, if any."""

    division: Division
    limits: Limits
    over: str | None


def sweep_plan(runs: Sequence[PlannedRun], settings: StackSettings | None, launcher: str) -> SweepPlan:
    """Checks the runs of a sweep and plans it. Raises RequestError that names the wrong run.

    settings: those of the launcher `stack`; None if `launcher` is another
    """
    sizes = check_members(runs)
    stacks = None if settings is None else Stacks(*division(runs, sizes, settings), settings.over)
    return SweepPlan(runs, sizes, launcher, stacks)


def check_members(runs: Sequence[PlannedRun]) -> list[Size]:
    """Checks the runs of a sweep and returns their sizes. Raises RequestError that names the wrong run.

    Loads the data of every run. Builds one run for each combination of data, tasks, model, graph and trainer settings.
    """
    require_tables(runs)
    built: set[str] = set()
    sizes = []
    with one_thread():
        for member in runs:
            with in_run(member):
                sizes.append(_check_member(member.config, built))
    return sizes


def _check_member(config: Config, built: set[str]) -> Size:
    """Checks a run and returns its size. Builds it unless a run of the same shape was `built` before."""
    dataset = load_dataset(config)
    require_selection(config, dataset)
    first = first_stage(config)
    before = None if first is None else load_dataset(first)
    shape = _shape(config)
    if shape not in built:
        build_stack([config], [dataset], [start_of(config, dataset.spec)])
        if first is not None and before is not None:
            build_stack([first], [before])
        built.add(shape)
    return size(config, dataset, before)


def _shape(config: Config) -> str:
    """The settings that decide whether a run can be built, as text."""
    tree = as_mapping(config)
    del tree["data"]["split"]["seed"]
    parts = [tree["data"], tree["tasks"], tree["only"], tree["model"], tree.get("graph"), tree["trainer"]]
    return json.dumps(parts, default=str)


def division(runs: Sequence[PlannedRun], sizes: Sequence[Size], settings: StackSettings) -> tuple[Division, Limits]:
    """The division of the runs into stacks, and the limits behind it."""
    limits = Limits(settings.processes or default_processes([m.config for m in runs], settings.over), settings.max_runs)
    return divide(sizes, limits), limits


def default_processes(configs: Sequence[Config], over: str | None = None) -> int:
    """The default number of parallel processes: one per core, or one per `trainer.threads` cores.

    It is 1 if stacks train on a CUDA device or cannot be forked, and if the workers are on other machines.
    """
    if over not in LOCAL or (over is None and not forks(configs)):
        return 1
    return max(1, cores() // max(c.trainer.threads or 1 for c in configs))


def data_hash(config: Config) -> str:
    """The hash of the table of a run, as the table is now."""
    return load_table(config)[0].digest


def _job(run: PlannedRun, run_size: Size) -> dict[str, Any]:
    """The entry of a run in sweep.json."""
    job: dict[str, Any] = {
        "run": run.run,
        "overrides": run.overrides,
        "arguments": run.arguments,
        "config": as_mapping(run.config),
        "steps": run_size.steps,
    }
    if run.arm:
        job["arm"] = run.arm
    if run.drawn:
        job["drawn"] = list(run.drawn)
    if used := used_by(run.config):
        job["packages"] = used
    return job | {"data_hash": data_hash(run.config)}
