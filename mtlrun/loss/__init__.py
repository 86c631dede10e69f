"""Loss strategies, one file each: losses `[R, T]` in, weights `[R, T]` out."""

from mtlrun.loss.base import Strategy
from mtlrun.loss.fixed import Fixed
from mtlrun.loss.sum import Sum
from mtlrun.loss.uncertainty import Uncertainty

STRATEGIES: dict[str, type[Strategy]] = {"sum": Sum, "fixed": Fixed, "uncertainty": Uncertainty}

__all__ = ["STRATEGIES", "Fixed", "Strategy", "Sum", "Uncertainty"]
