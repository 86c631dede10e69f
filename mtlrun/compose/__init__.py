"""Composes checked configurations from the overrides of the command line, through Hydra."""

from mtlrun.compose.composition import answered, checked_config, literally
from mtlrun.compose.outside import ROOT
from mtlrun.compose.request import PlannedRun, Request, compose, planned_runs, single

__all__ = [
    "ROOT",
    "PlannedRun",
    "Request",
    "answered",
    "checked_config",
    "compose",
    "literally",
    "planned_runs",
    "single",
]
