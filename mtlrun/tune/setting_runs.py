"""Trains settings, each on several seeds, as a sweep in a folder of its own."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra.types import HydraContext

from mtlrun.compare.collect.folders import collect
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compose.arms import fits
from mtlrun.compose.composition import Compositions
from mtlrun.compose.overrides import full_key, parse, typed_value
from mtlrun.compose.request import PlannedRun, Request, single
from mtlrun.config.schema import Config
from mtlrun.runs.folder import claimed
from mtlrun.storage.files import at_work
from mtlrun.storage.names import PLAN
from mtlrun.storage.results_table import rebuild
from mtlrun.storage.summary import ENDED, record_end, status_of
from mtlrun.storage.sweep_folder import STACKS, folder_name, read_plan, write_plan
from mtlrun.sweeps.launchers import OVER, SlimCallbacks, StackSettings, stack_settings
from mtlrun.sweeps.local_stacks import train_stacks
from mtlrun.sweeps.plan import sweep_plan
from mtlrun.sweeps.stack_launcher import train_over
from mtlrun.util.errors import RequestError, StorageError, counted, listing
from mtlrun.util.terminal import shown

SEEDS = ("seed", "data.split.seed")
ATTEMPTS = 2  # to train a run whose process is lost


@dataclass(frozen=True)
class Setting:
    """A setting to train: its label, and its values by key, on top of the words of the request."""

    label: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Base:
    """The request that all settings change: its words without `tune.*`, composed."""

    request: Request

    @cached_property
    def compositions(self) -> Compositions:
        """Composes the configuration of each run."""
        return Compositions(self.request.loader, self.request.cfg)

    @cached_property
    def stacks(self) -> StackSettings:
        """How stacks train: `hydra.launcher.over`, and so on. Raises RequestError."""
        settings = stack_settings(self.request)
        if settings is None:
            launcher = self.request.cfg.hydra.runtime.choices["hydra/launcher"]
            raise RequestError(
                f"hydra/launcher: found {launcher}, and a search trains stacks\n"
                f"allowed: hydra.launcher.over with one of {listing(OVER)}, or neither"
            )
        return settings

    @cached_property
    def config(self) -> Config:
        """The checked configuration without a search. Raises RequestError."""
        return single(self.request)

    @cached_property
    def lines(self) -> dict[str, str]:
        """The overrides of the user by key, without seeds and settings of Hydra."""
        found = {full_key(o): line for line in self.request.overrides if (o := parse(line)) is not None}
        return {key: line for key, line in found.items() if key not in SEEDS and not key.startswith("hydra")}

    def runs(self, settings: Sequence[Setting], seeds: Sequence[int], more: Mapping[str, str]) -> list[PlannedRun]:
        """The runs of settings on seeds. more: values of all runs. Raises RequestError for a setting that cannot be."""
        count = len(settings) * len(seeds)
        planned: list[PlannedRun] = []
        for setting in settings:
            for seed in seeds:
                overrides = {**setting.values, "seed": str(seed)}
                name = folder_name(len(planned), count, {"seed": str(seed)}, setting.label)
                arguments = self.arguments({**more, **overrides})
                config = self.compositions.config(arguments)
                completed = self.compositions.completed(arguments)
                planned.append(PlannedRun(name, completed, self._typed() | overrides, config, setting.label))
        return planned

    def arguments(self, values: Mapping[str, str]) -> list[str]:
        """The overrides of a run with these values: those of the user that still apply, then the values."""
        kept = [line for key, line in self.lines.items() if key not in values and fits(key, values)]
        return [*kept, *(f"{key}={value}" for key, value in values.items())]

    def _typed(self) -> dict[str, str]:
        return {key: typed_value(parse(line)) for key, line in self.lines.items()}


def train(base: Base, folder: Path, runs: Sequence[PlannedRun], command: str, above: str = "") -> None:
    """Trains runs as a sweep in `folder`, or what is left of them if the folder has their plan.

    A run whose process is lost is trained again, and then counts as failed. above: text for the lines above the bar on
    a terminal. Raises RequestError, StorageError, also if runs did not begin or were interrupted, and
    KeyboardInterrupt after the runs are saved.
    """
    if not (folder / PLAN).is_file():
        plan = sweep_plan(runs, base.stacks, "stack")
        with claimed(folder, "tune"):
            write_plan(folder, plan.jobs(), command)
    for _ in range(ATTEMPTS):
        if left := _left(folder):
            try:
                with at_work(folder):
                    _train(base, folder, left, above)
            finally:
                rebuild(folder, ended=True)
    _end_lost(folder)
    shutil.rmtree(folder / STACKS, ignore_errors=True)


def _left(folder: Path) -> list[dict[str, Any]]:
    """The jobs of a sweep that have not ended."""
    return [job for job in read_plan(folder) if status_of(folder / job["run"]) not in ENDED]


def _train(base: Base, folder: Path, jobs: Sequence[Mapping[str, Any]], above: str) -> None:
    """Trains the stacks of jobs here, or by the workers of another launcher."""
    numbers, settings = sorted({job["stack"] for job in jobs}), base.stacks
    if settings.over is None:
        train_stacks(folder, numbers, jobs[0].get("processes"), True, above)
    else:
        context = HydraContext(base.request.loader, SlimCallbacks(base.request.cfg))
        train_over(context, settings.over, settings.options, folder, numbers, quiet=True)


def _end_lost(folder: Path) -> None:
    """Records runs whose process was lost each time as failed. Raises StorageError for runs that can go on later."""
    left = _left(folder)
    lost = [job for job in left if status_of(folder / job["run"]) == "running"]
    for job in lost:
        why = f"the process that trained it was lost {ATTEMPTS} times, perhaps for want of memory"
        record_end(folder / job["run"], "failed", why, seed=job["config"]["seed"], settings=job["config"])
    if len(left) > len(lost):
        raise StorageError(
            f"{counted(len(left) - len(lost), 'run')} in {shown(folder)} did not end; why stands above\n"
            "mend that, and go on: what has ended is kept"
        )


def records(folder: Path) -> Mapping[tuple[str, int], RunRecord]:
    """The completed runs of a sweep that `train` has trained, by label of the setting and seed."""
    runs: Any = collect([folder], to_compare=False).runs
    return {(run.arm or "", run.seed): run for run in runs if run.completed}
