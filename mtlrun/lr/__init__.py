"""Learning rate schedules: one factor on all rates of a run (`Config.rates`)."""

from mtlrun.lr.schedule import is_constant, schedule_factors

__all__ = ["is_constant", "schedule_factors"]
