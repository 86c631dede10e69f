"""Learning rates: a schedule moves the rates of a run (`Config.rates`), all by one factor."""

from mtlrun.lr.schedule import is_constant, schedule_factors

__all__ = ["is_constant", "schedule_factors"]
