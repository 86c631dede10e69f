"""Trials: values drawn from ranges. A range has Hydra's syntax, such as lr.base=tag(log,interval(1e-4,1e-1))."""

import hashlib
import math

from hydra.core.override_parser.types import IntervalSweep, Override

from mtlrun.compose.overrides import typed_value
from mtlrun.util.errors import RequestError


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


def drawn(override: Override, trial: int) -> str:
    """`KEY=VALUE` with the value of one trial. Trials count from 0.

    The value is LOW + u (HIGH - LOW). With the tag log it is 10^(log LOW + u (log HIGH - log LOW)), log to base 10. It
    has six significant digits. u is uniform in [0, 1) and depends only on key and trial. For whole numbers,
    int(interval(...)), HIGH + 1 replaces HIGH and the value is rounded down, so that LOW and HIGH are included.
    """
    low, high, tags = bounds_of(override)
    u, whole = _uniform(override.key_or_group, trial), isinstance(low, int)
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


def _uniform(key: str, trial: int) -> float:
    digest = hashlib.sha256(f"{key} {trial}".encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53
