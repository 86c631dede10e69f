"""Figures as text: how many digits a figure has, its interval, and the figures of a column."""

import math
from collections.abc import Sequence

from mtlrun.compare.records import Estimate

ABSENT = "—"
BEYOND = 2  # digits that a wide interval may show beyond its two, for the sake of narrow ones in its column


def number(value: float, digits: int = 4, signed: bool = False) -> str:
    """`value` with that many significant digits, at least those before the point; with a power of ten if far off."""
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, ABSENT)
    size = abs(value)
    if size and not 1e-4 <= size < 1e7:
        return _minus(f"{value:{'+' if signed else ''}.{digits - 1}e}")
    decimals = max(0, digits - 1 - math.floor(math.log10(size))) if size else 0
    return _fixed(value, decimals, signed and value != 0)


def with_interval(estimate: Estimate | None, signed: bool = False, decimals: int | None = None) -> str:
    """`0.7634 ± 0.0031`: half of the interval with two significant digits, the mean with as many decimals, or both
    with those of its column.

    `0.76 [0.70, 0.78]` where the mean is not the interval's middle; the mean alone where there is no interval.
    """
    if estimate is None or math.isnan(estimate.mean):
        return ABSENT
    mean, interval = estimate.mean, _interval(estimate)
    if interval is None:
        return number(mean, 4, signed)
    low, high = interval
    half = (high - low) / 2
    point = _is_point(mean, high, half)
    if point and not mean:
        return "0"
    power = _power(mean, half)
    if point:
        return f"{number(mean, 4, signed) if decimals is None or power else _fixed(mean, decimals, signed)} ± 0"
    shown = _in_units(10.0**power, mean, low, high, signed, None if power else decimals)
    return f"({shown})e{power}" if power else shown


def column(estimates: Sequence[Estimate | None], signed: bool = False) -> list[str]:
    """Figures of one column with one number of decimals: what the narrowest interval needs, but no more than two beyond
    what the widest one does."""
    needed = [decimals for estimate in estimates if (decimals := _decimals_needed(estimate)) is not None]
    decimals = min(max(needed), min(needed) + BEYOND) if needed else None
    return [with_interval(estimate, signed, decimals) for estimate in estimates]


def percent(share: Estimate | None) -> Estimate | None:
    """A share in percent."""
    if share is None:
        return None
    low, high = (None if end is None else 100 * end for end in (share.low, share.high))
    return Estimate(100 * share.mean, low, high, {seed: 100 * value for seed, value in share.values.items()})


def probability(value: float) -> str:
    """A p value: three decimals, `<0.001` below them."""
    if math.isnan(value):
        return ABSENT
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _interval(estimate: Estimate) -> tuple[float, float] | None:
    """The ends of an interval; None where there is none."""
    low, high = estimate.low, estimate.high
    return None if low is None or high is None or not math.isfinite(high - low) else (low, high)


def _is_point(mean: float, high: float, half: float) -> bool:
    """Whether an interval is no wider than what rounding makes of nothing."""
    return half <= 1e-9 * max(abs(mean), abs(high))


def _in_units(unit: float, mean: float, low: float, high: float, signed: bool, decimals: int | None) -> str:
    """A figure with its interval in multiples of `unit`, with these decimals or its own."""
    half = (high - low) / 2 / unit
    mean, low, high = mean / unit, low / unit, high / unit
    # an interval that the column's decimals would round to nothing keeps its own
    if decimals is None or round(half, decimals) == 0:
        decimals = _decimals(mean, half)
    middle = _fixed(mean, decimals, signed and round(mean, decimals) != 0)
    if abs(mean - (low + high) / 2) > 0.1 * half:
        return f"{middle} [{_fixed(low, decimals)}, {_fixed(high, decimals)}]"
    narrow = f"{half:.{decimals}f}"
    return f"{middle} ± {narrow if float(narrow) else f'{half:.0e}'}"


def _power(mean: float, half: float) -> int:
    """The power of ten that stands behind a figure far from 1; else 0."""
    largest = max(abs(mean), half)
    return math.floor(math.log10(largest)) if not 1e-4 <= largest < 1e7 else 0


def _decimals(mean: float, half: float) -> int:
    """Those of two significant digits of half an interval, but no more than seven digits of the mean."""
    return min(max(0, 1 - math.floor(math.log10(half))), max(0, 6 - math.floor(math.log10(max(abs(mean), half)))))


def _decimals_needed(estimate: Estimate | None) -> int | None:
    """The decimals that a figure asks of its column; None where it asks for none."""
    if estimate is None or not math.isfinite(estimate.mean) or (interval := _interval(estimate)) is None:
        return None
    mean, (low, high) = estimate.mean, interval
    half = (high - low) / 2
    return None if _is_point(mean, high, half) or _power(mean, half) else _decimals(mean, half)


def _fixed(value: float, decimals: int, signed: bool = False) -> str:
    return _minus(f"{value:{'+' if signed else ''}.{decimals}f}")


def _minus(text: str) -> str:
    return text.replace("-", "−")
