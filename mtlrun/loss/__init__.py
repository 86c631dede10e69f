"""Loss strategies, one file each: losses `[R, T]` in, weights `[R, T]` out."""

from collections.abc import Sequence
from typing import Any

from mtlrun.loss.base import Strategy
from mtlrun.loss.fixed import Fixed
from mtlrun.loss.mixed import Mixed
from mtlrun.loss.sum import Sum
from mtlrun.loss.uncertainty import Uncertainty

STRATEGIES: dict[str, type[Strategy]] = {"sum": Sum, "fixed": Fixed, "uncertainty": Uncertainty}


def make_strategy(configs: Sequence[Any], tasks: Sequence[str], noise: Sequence[tuple[float, float]]) -> Strategy:
    """The strategy of a stack; `configs` and the other arguments as `Strategy` takes them."""
    kinds = [STRATEGIES[c.name] for c in configs]
    return kinds[0](configs, tasks, noise) if len(set(kinds)) == 1 else Mixed(kinds, configs, tasks, noise)


__all__ = ["STRATEGIES", "Fixed", "Mixed", "Strategy", "Sum", "Uncertainty", "make_strategy"]
