"""Trains or describes the sweep of a composed request: checks its runs, writes its plan, calls a launcher.

sweep.json in the sweep's folder describes all runs before any run trains. A worker on any machine and a later
`mtlrun resume` need nothing else. torch loads only after the first table is read.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.plugins import Plugins
from hydra.types import HydraContext

from mtlrun.compose import ROOT, PlannedRun, Request, planned_runs
from mtlrun.config.schema import config_hash
from mtlrun.runs.folder import claimed, free_folder, to_be_resumed
from mtlrun.storage.files import at_work
from mtlrun.storage.results_table import rebuild
from mtlrun.storage.sweep_folder import write_plan
from mtlrun.sweeps.closing import close_sweep
from mtlrun.sweeps.launched_run import run_member
from mtlrun.sweeps.launchers import SlimCallbacks, StackSettings, launch, stack_settings
from mtlrun.util.errors import counted
from mtlrun.util.terminal import say, shown

if TYPE_CHECKING:
    from mtlrun.sweeps.plan import SweepPlan


def run_sweep(request: Request) -> int:
    """Trains every run of a sweep through Hydra's launcher. Returns the exit status.

    Checks all runs and loads their data before any run trains. Raises RequestError before anything is written. After
    an interrupt updates results.csv, then raises KeyboardInterrupt.
    """
    settings = stack_settings(request)
    runs = planned_runs(request)
    for line in [*request.notes, *_repeats(runs)]:
        say(line)
    folder = free_folder(request.cfg, "hydra.sweep.dir")
    plan = _checked(request, runs, settings)
    jobs, ahead = plan.jobs(), plan.forecast()
    with to_be_resumed(folder):
        with claimed(folder, "hydra.sweep.dir"):
            write_plan(folder, jobs, request.command)
            rebuild(folder)
        stacks = f" in {plan.stacks_in_words()}," if settings is not None else ""
        say("\n".join([f"{counted(len(runs), 'run')}{stacks} in {shown(folder)}", *ahead]))
        return _train(request, folder, runs, settings)


def describe(request: Request) -> str:
    """The text of `mtlrun check -m`: the division of the sweep into stacks, the reasons for it, and the runs."""
    settings = stack_settings(request)
    runs = planned_runs(request)
    plan = _checked(request, runs, settings)
    ahead = plan.forecast()
    lines = [member.run for member in runs]
    if plan.division is None:
        return "\n".join([f"{counted(len(runs), 'run')}, one per job:", *ahead, *_repeats(runs), *lines])
    lines = [f"{run}  stack {number}" for run, number in zip(lines, plan.division.of_each(), strict=True)]
    heading = f"{counted(len(runs), 'run')} in {plan.stacks_in_words()}"
    return "\n".join([heading, *ahead, plan.division.describe(), *_repeats(runs), *lines])


def _checked(request: Request, runs: Sequence[PlannedRun], settings: StackSettings | None) -> "SweepPlan":
    """Checks the runs of a sweep and plans it. Raises RequestError that names the wrong run."""
    from mtlrun.sweeps.tables import require_tables

    require_tables(runs)  # errors of the table come before torch loads
    from mtlrun.sweeps.plan import sweep_plan

    return sweep_plan(runs, settings, request.cfg.hydra.runtime.choices["hydra/launcher"])


def _train(request: Request, folder: Path, runs: Sequence[PlannedRun], settings: StackSettings | None) -> int:
    """Trains the runs of a sweep whose plan is written. Returns the exit status."""
    callbacks = SlimCallbacks(request.cfg)
    callbacks.on_multirun_start(config=request.cfg, config_name=ROOT)
    context = HydraContext(config_loader=request.loader, callbacks=callbacks)
    # Calls the launcher directly: Hydra's sweeper would compose every run again first.
    launcher = Plugins.instance().instantiate_launcher(context, run_member, request.cfg)
    arguments = [member.arguments for member in runs]
    try:
        with at_work(folder):
            if settings is None:
                launch(launcher, request.cfg.hydra.runtime.choices["hydra/launcher"], arguments)
            else:
                launcher.launch(arguments, initial_job_idx=0)
    finally:
        rows = rebuild(folder, ended=True)
    callbacks.on_multirun_end(config=request.cfg, config_name=ROOT)
    return close_sweep(folder, rows, [member.config for member in runs])


def _repeats(runs: Sequence[PlannedRun]) -> list[str]:
    """A line if runs of model=boosting are equal in all settings that this model has."""
    hashes = [config_hash(member.config) for member in runs if member.config.boosting]
    equal = len(hashes) - len(set(hashes))
    if not equal:
        return []
    return [
        f"{equal} of {len(hashes)} runs of model=boosting repeat another: it has no loss strategy, rates, edges or "
        "batches; give it an arm of its own"
    ]
