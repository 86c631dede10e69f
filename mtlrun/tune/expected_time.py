"""How long a search and its confirmation take, from a few steps of the default and of what it is confirmed beside."""

from collections.abc import Sequence
from dataclasses import replace

from mtlrun.compose.request import PlannedRun
from mtlrun.sweeps import forecast
from mtlrun.sweeps.plan import sweep_plan
from mtlrun.tune.finalists import planned
from mtlrun.tune.search import DEFAULT
from mtlrun.tune.setting_runs import Base, Setting
from mtlrun.tune.study import OF_ONE_SHAPE
from mtlrun.tune.tune_words import TuneSettings
from mtlrun.util.errors import counted


def forecast_words(base: Base, settings: TuneSettings) -> str:
    """The time of the search if only its runs bound it, then the runs of the confirmation and their time.

    The search is assumed to take as long as the default in stacks as small as its own.
    """

    confirmed = planned(base, None, settings)
    runs = f"the confirmation after it: {counted(len(confirmed), 'run')}, and those of the setting that is found"
    search = ""
    if base.stacks.over is not None:
        return f"{runs}, all by the workers of {base.stacks.over}"
    try:
        if settings.minutes is None:
            batch = base.runs([Setting(DEFAULT)], range(settings.batch), {})
            share = (settings.most_runs or 0) / settings.batch
            search = f"the search takes about {forecast.in_words(share * _seconds(base, batch, OF_ONE_SHAPE))}; "
        return f"{search}{runs}, about {forecast.in_words(_seconds(base, confirmed))} at most"
    except forecast.NotMeasured as error:  # training will report the error and its run
        return f"{runs}; how long it takes is not known: a few steps ended with {error}"


def _seconds(base: Base, runs: Sequence[PlannedRun], of_a_stack: int | None = None) -> float:
    """The seconds that runs take in stacks of at most so many. Raises NotMeasured."""
    settings = replace(base.stacks, max_runs=of_a_stack or base.stacks.max_runs)
    plan = sweep_plan(runs, settings, "stack")
    assert plan.stacks is not None, "they train as stacks"
    return forecast.seconds(runs, plan.sizes, plan.stacks.division, plan.stacks.limits.processes)
