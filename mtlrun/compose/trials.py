"""Trials: the default, then settings drawn from ranges and choices in Hydra's words.

Examples are lr.base=tag(log,interval(1e-4,1e-1)) and model.dropout=choice(0,0.1,0.3).
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override

from mtlrun.compose.override_lines import lines_of, plain_line
from mtlrun.compose.overrides import full_key, is_drawn, typed_value
from mtlrun.config.schema import GROUPS, Config, as_mapping
from mtlrun.util.errors import RequestError

Draw = Mapping[str, float]  # key -> u in [0, 1)


def check_drawn(override: Override) -> None:
    """Raises RequestError if no values can be drawn from the range or the choice of the override."""
    if override.is_interval_sweep():
        check_range(override)
    elif override.key_or_group == "data":
        found = f"data: found {typed_value(override)}\na trial has the same data as the default: "
        raise RequestError(f"{found}list options with commas between, such as data=houses,barns")


def check_range(override: Override) -> None:
    """Raises RequestError if no values can be drawn from the range of the override."""
    low, high, tags = bounds_of(override)
    found = f"{override.key_or_group}: found {typed_value(override)}"
    if tags - {"log"}:
        raise RequestError(f"{found}\nallowed: the tag log, or none")
    if not (low < high and math.isfinite(high - low)):
        raise RequestError(f"{found}\nallowed: interval(LOW,HIGH) with LOW below HIGH, both finite")
    if "log" in tags and low <= 0:
        raise RequestError(f"{found}\nallowed with the tag log: bounds above 0")


def crossed(override: Override) -> Override:
    """The override with choice(a,b) as the list a,b, whose values are crossed with those of other keys."""
    value = override.value()
    if not isinstance(value, ChoiceSweep):
        return override
    return dataclasses.replace(override, _value=dataclasses.replace(value, simple_form=True))


# ---------------------------------------------------------------- draws


def draws(keys: Sequence[str], count: int) -> list[Draw]:
    """`count` draws for the keys: points of the scrambled Halton sequence, which fill the space evenly.

    u of a key depends only on its place in `keys` and on the number of the draw. So a key added at the end, or more
    draws, change no other draw. Source: Owen, "A randomized Halton algorithm in R", 2017.
    """
    if not keys or not count:
        return []
    from scipy.stats import qmc  # takes 0.7 s, and few sweeps have trials

    points = qmc.Halton(len(keys), scramble=True, rng=0).random(count)  # [draws, keys]
    return [dict(zip(keys, map(float, point), strict=True)) for point in points]


def drawn(override: Override, u: float) -> str:
    """`KEY=VALUE` with the value at u in [0, 1).

    Of a range it is LOW + u (HIGH - LOW). With the tag log it is 10^(log LOW + u (log HIGH - log LOW)), log to base 10.
    It has six significant digits. For whole numbers, int(interval(...)), HIGH + 1 replaces HIGH and the value is
    rounded down, so that LOW and HIGH are included. Of a choice of n values it is the one numbered floor(n u).
    """
    if not override.is_interval_sweep():
        lines = lines_of(override)
        return lines[int(u * len(lines))]
    low, high, tags = bounds_of(override)
    whole = isinstance(low, int)
    top = high + 1 if whole else high
    if "log" in tags:
        value = 10 ** (math.log10(low) + u * (math.log10(top) - math.log10(low)))
    else:
        value = low + u * (top - low)
    value = math.floor(value) if whole else float(f"{value:.6g}")
    return f"{override.key_or_group}={min(max(value, low), high)}"


def bounds_of(override: Override) -> tuple[float, float, set[str]]:
    """The bounds and tags of a range. The bounds are of type int if whole numbers are drawn."""
    sweep = override.value()
    assert isinstance(sweep, IntervalSweep) and sweep.start is not None and sweep.end is not None
    return sweep.start, sweep.end, sweep.tags


# ---------------------------------------------------------------- the default


class Defaults:
    """The values that drawn keys have without their ranges and choices.

    config_of: makes the checked configuration of one run from its overrides
    options: group -> the option that it has if no override chooses one
    """

    def __init__(self, config_of: Callable[[Sequence[str]], Config], options: Mapping[str, str]) -> None:
        self._config_of = config_of
        self._options = options

    def lines(self, overrides: Sequence[Override], others: Sequence[str]) -> dict[str, str]:
        """Key -> KEY=VALUE for the drawn keys of a run, whose other overrides are `others`.

        A key that has no value by default, such as lr.heads.TASK, is left out.
        """
        try:
            tree = as_mapping(self._config_of(others))
        except RequestError:
            return {}  # planned_runs raises it, and names the run
        found = {}
        for override in filter(is_drawn, overrides):
            key = override.key_or_group
            known, value = self._value(tree, key)
            if known:
                found[full_key(override)] = plain_line(key, value)
        return found

    def _value(self, tree: Any, key: str) -> tuple[bool, Any]:
        """Whether the key has a value, and the value."""
        if key in GROUPS:
            return key in self._options, self._options.get(key)
        for part in key.split("."):
            if not isinstance(tree, dict) or part not in tree:
                return False, None
            tree = tree[part]
        return True, tree
