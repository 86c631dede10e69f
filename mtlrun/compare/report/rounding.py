"""Figures as text: the number of digits of a figure, of its interval, and of the figures of a column."""

import math
from collections.abc import Sequence

from mtlrun.compare.records import Estimate

ABSENT = "—"
BEYOND = 2  # extra digits that a wide interval may show if its column has narrower ones


def number(value: float, digits: int = 4, signed: bool = False) -> str:
    """`value` with `digits` significant digits and all digits before the point; very large or small: an exponent."""
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, ABSENT)
    size = abs(value)
    if size and not 1e-4 <= size < 1e7:
        return _minus(f"{value:{'+' if signed else ''}.{digits - 1}e}")
    decimals = max(0, digits - 1 - math.floor(math.log10(size))) if size else 0
    return _fixed(value, decimals, signed and value != 0)


def with_interval(estimate: Estimate | None, signed: bool = False, decimals: int | None = None) -> str:
    """`0.7634 ± 0.0031`: the mean and half the width of the interval.

    The half width has two significant digits and the mean as many decimals; or both have `decimals`, those of the
    column. If the mean is not the middle of the interval: `0.76 [0.70, 0.78]`. Without interval: the mean alone.
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
    """The figures of a column with the same number of decimals.

    The number is what the narrowest interval needs, but at most two more than the widest interval needs.
    """
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
    """A p value with three decimals, or `<0.001`."""
    if math.isnan(value):
        return ABSENT
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _interval(estimate: Estimate) -> tuple[float, float] | None:
    """The ends of an interval; None if there is no finite interval."""
    low, high = estimate.low, estimate.high
    return None if low is None or high is None or not math.isfinite(high - low) else (low, high)


def _is_point(mean: float, high: float, half: float) -> bool:
    """Whether an interval is no wider than the rounding error."""
    return half <= 1e-9 * max(abs(mean), abs(high))


def _in_units(unit: float, mean: float, low: float, high: float, signed: bool, decimals: int | None) -> str:
    """A figure with its interval in multiples of `unit`. decimals None: those that the interval needs."""
    half = (high - low) / 2 / unit
    mean, low, high = mean / unit, low / unit, high / unit
    # use other decimals if those of the column would round the interval to 0
    if decimals is None or round(half, decimals) == 0:
        decimals = _decimals(mean, half)
    middle = _fixed(mean, decimals, signed and round(mean, decimals) != 0)
    if abs(mean - (low + high) / 2) > 0.1 * half:
        return f"{middle} [{_fixed(low, decimals)}, {_fixed(high, decimals)}]"
    narrow = f"{half:.{decimals}f}"
    return f"{middle} ± {narrow if float(narrow) else f'{half:.0e}'}"


def _power(mean: float, half: float) -> int:
    """The exponent of ten for a very large or very small figure; else 0."""
    largest = max(abs(mean), half)
    return math.floor(math.log10(largest)) if not 1e-4 <= largest < 1e7 else 0


def _decimals(mean: float, half: float) -> int:
    """The decimals for two significant digits of half an interval, but at most seven digits of the mean."""
    return min(max(0, 1 - math.floor(math.log10(half))), max(0, 6 - math.floor(math.log10(max(abs(mean), half)))))


def _decimals_needed(estimate: Estimate | None) -> int | None:
    """The decimals that a figure needs in its column; None if it needs none."""
    if estimate is None or not math.isfinite(estimate.mean) or (interval := _interval(estimate)) is None:
        return None
    mean, (low, high) = estimate.mean, interval
    half = (high - low) / 2
    return None if _is_point(mean, high, half) or _power(mean, half) else _decimals(mean, half)


def _fixed(value: float, decimals: int, signed: bool = False) -> str:
    return _minus(f"{value:{'+' if signed else ''}.{decimals}f}")


def _minus(text: str) -> str:
    text = text if any("1" <= digit <= "9" for digit in text) else text.removeprefix("-")  # no −0.00
    return text.replace("-", "−")
