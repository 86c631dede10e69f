"""Learning rates: a policy gives each parameter group its rate, a schedule moves all of them over the run."""

from mtlrun.lr.policy import group_rates
from mtlrun.lr.schedule import is_constant, schedule_factors

__all__ = ["group_rates", "is_constant", "schedule_factors"]
