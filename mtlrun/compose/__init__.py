"""From the words of the command line to checked configurations, through Hydra's composition."""

from mtlrun.compose.composition import answered, checked_config
from mtlrun.compose.outside import ROOT
from mtlrun.compose.request import PlannedRun, Request, compose, compose_run, planned_runs, single

__all__ = [
    "ROOT",
    "PlannedRun",
    "Request",
    "answered",
    "checked_config",
    "compose",
    "compose_run",
    "planned_runs",
    "single",
]
