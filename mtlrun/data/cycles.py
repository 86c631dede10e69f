"""Dates and times as inputs: the number of days or hours, and the place in the year, the week and the day.

A place in a cycle is an angle, given by its sine and cosine, so that December is near January.
"""

from collections.abc import Sequence

import numpy as np

PERIODS = {"year": 365.2425, "week": 7.0, "day": 1.0}  # in days
SPREAD = 1e-3  # least circular variance of the angles: 2.6 days in a year, 10 minutes in a day
LEAST = 20  # with fewer dates, no cycle is used


def cycles_of(days: np.ndarray) -> list[str]:
    """The cycles in which dates vary. days: `[N]`, since 1970, or the time of day as a share of a day; NaN if missing.

    A cycle counts if the dates cover nearly all of it and the angles a vary: their circular variance, 1 − |mean(e^ia)|,
    is above SPREAD (Mardia and Jupp 2000, section 2.3). Times of day need not cover the day.
    """
    present = days[~np.isnan(days)]
    if len(present) < LEAST:
        return []
    low, high = np.quantile(present, [0.05, 0.95])  # without marks such as 9999-12-31
    long_enough = [name for name, period in PERIODS.items() if name == "day" or high - low >= 0.8 * period]
    return [name for name in long_enough if 1 - abs(np.exp(1j * angles(present, name)).mean()) > SPREAD]


def angles(days: np.ndarray, cycle: str) -> np.ndarray:
    """The places `[N]` in a cycle, in radians. Angle 0 is 1970-01-01, a Thursday, at 0:00 UTC."""
    turns: np.ndarray = np.mod(days / PERIODS[cycle], 1.0)
    return 2 * np.pi * turns


def with_cycles(numbers: np.ndarray, days: np.ndarray, cycles: Sequence[str]) -> np.ndarray:
    """The numbers `[N]`, then sine and cosine of each cycle: `[N, 1 + 2 C]`. days: as in `cycles_of`."""
    parts = [numbers]
    for cycle in cycles:
        angle = angles(days, cycle)
        parts += [np.sin(angle), np.cos(angle)]
    return np.stack(parts, 1)
