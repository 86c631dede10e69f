"""Scales of axes: limits that include all values, round ticks, and labels of the ticks."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.ticker import MaxNLocator


@dataclass(frozen=True)
class Scale:
    """Limits and ticks in the units of the values."""

    low: float
    high: float
    ticks: Sequence[float]
    log: bool = False
    signed: bool = False

    @property
    def labels(self) -> list[str]:
        """The ticks as numbers."""
        return tick_labels(self.ticks, self.signed)

    @property
    def places(self) -> list[float]:
        """The places of the ticks, from 0 at the lower limit to 1 at the upper limit."""
        if not self.log:
            return [(tick - self.low) / (self.high - self.low) for tick in self.ticks]
        low, high = math.log10(self.low), math.log10(self.high)
        return [(math.log10(tick) - low) / (high - low) for tick in self.ticks]


def linear(values: Iterable[float], integer: bool = False, signed: bool = False, margin: float = 0.05) -> Scale:
    """A linear scale. integer: ticks only at whole numbers. signed: positive ticks have a plus."""
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    spread = (high - low) or abs(high) or 1.0
    low, high = low - margin * spread, high + margin * spread
    ticks = MaxNLocator(6, integer=integer).tick_values(low, high)
    return Scale(low, high, [tick for tick in ticks if low <= tick <= high], signed=signed)


def logarithmic(values: Iterable[float]) -> Scale:
    """A logarithmic scale of the values above 0, with ticks at powers of ten.

    Over less than about three powers of ten, there are also ticks at 2 and 5 times these.
    """
    finite = [value for value in values if math.isfinite(value) and value > 0] or [0.0, 1.0]
    low, high = min(finite) / 1.15, max(finite) * 1.15
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [multiple * 10.0**power for power in powers for multiple in ((1, 2, 5) if high < 500 * low else (1,))]
    return Scale(low, high, [tick for tick in ticks if low <= tick <= high], log=True)


def tick_labels(ticks: Sequence[float], signed: bool) -> list[str]:
    """Ticks as numbers, with as many decimals as their distance needs."""
    if not ticks:
        return []
    largest = max(map(abs, ticks))
    if largest < 1e-3 or largest >= 1e7:
        return [f"{tick:g}".replace("-", "−") for tick in ticks]
    steps = [b - a for a, b in pairwise(ticks)] or [largest]
    if max(steps) > 1.5 * min(steps):  # logarithmic
        return [f"{tick:,.0f}" if tick >= 1000 else f"{tick:.6f}".rstrip("0").rstrip(".") for tick in ticks]
    decimals = next((d for d in range(9) if all(abs(tick - round(tick, d)) < 1e-6 * steps[0] for tick in ticks)), 9)
    return [f"{tick:{'+' if signed and tick else ''},.{decimals}f}".replace("-", "−") for tick in ticks]
