"""Lines over training steps: val figures, loss weights, learnt noise, rates and gradient cosines."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis.curves.metrics_files import COSINE, Curve, Curves, Key
from mtlrun.compare.analysis.inference import COSINES
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.collect.settings import Setting
from mtlrun.compare.records import Series, TaskColumn
from mtlrun.tasks import metric_bounds

OF_SETTINGS = ("weight", "rate")  # a flat line of these repeats the settings
FLAT = 1e-6  # share of the height of a line: bound of the rounding error


@dataclass(frozen=True)
class Line:
    """A line that may be drawn for a setting: a figure of some runs."""

    what: Literal["curve", "weight", "sigma", "rate", "cosine"]
    task: str
    metric: str
    key: Key
    runs: Sequence[RunRecord]

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value that the figure can have."""
        match self.what:
            case "curve":
                return metric_bounds(self.metric)
            case "cosine":
                return COSINES
        return 0.0, math.inf  # weights, scales and rates

    @property
    def of_settings(self) -> bool:
        """Whether the settings give its value if it is constant."""
        return self.what in OF_SETTINGS


def series(settings: Sequence[Setting], curves: Curves, columns: Sequence[TaskColumn]) -> list[Series]:
    """Val figures, loss weights, learnt noise, rates and gradient cosines over steps: mean and 95 % band over seeds.

    Boosting is left out, because its iterations are not steps. Constant weights and rates are left out, because the
    settings give them. Steps that fewer than half of the runs of a row reach are left out, because the mean of the
    remaining runs does not represent the row.
    """
    drawn = []
    for setting in settings:
        for line in () if setting.boosting else _lines(setting, columns):
            band = _band(setting.label, line, curves)
            if band is not None and (not line.of_settings or _moves(band.mean)):
                drawn.append(band)
    return drawn


def _lines(setting: Setting, columns: Sequence[TaskColumn]) -> Iterator[Line]:
    """Every line of a setting, for all figures that its runs may have."""
    for column in columns:
        runs = [*setting.of(column.task).values()]
        yield Line("curve", column.task, column.metric, ("val", column.task, column.metric), runs)
    trained = dict.fromkeys(task for by_task in setting.runs.values() for task in by_task)
    for task in trained:
        runs = [*setting.of(task).values()]
        if setting.multi_task:
            yield Line("weight", task, "weight", ("train", task, "weight"), runs)
        yield Line("sigma", task, "sigma", ("train", task, "sigma"), runs)
        yield Line("rate", task, "rate", ("train", task, "rate"), runs)
        for other in trained:
            if other != task:
                yield Line("cosine", task, other, ("train", task, COSINE + other), runs)
    if setting.multi_task:
        yield Line("rate", "", "rate", ("train", "", "rate"), setting.members)


def _moves(values: Sequence[float]) -> bool:
    """Whether a line changes by more than rounding."""
    return max(values) - min(values) > FLAT * max(map(abs, values))


def _band(label: str, line: Line, curves: Curves) -> Series | None:
    """A line with its band; None if no run has the figure."""
    known = [curve for run in line.runs if (curve := curves.of(run, line.key))[0]]
    if not known:
        return None
    steps, table = _aligned(known)
    return Series(line.what, label, line.task, line.metric, steps, *_mean_and_band(table, line.bounds), len(known))


def _aligned(curves: Sequence[Curve]) -> tuple[list[int], np.ndarray]:
    """The steps that at least half of the curves have, and the values `[n, S]` there, NaN if a curve has none."""
    longest = max((steps for steps, _ in curves), key=len)
    if all(steps == longest for steps, _ in curves):
        return longest, np.array([values for _, values in curves])
    by_step = [dict(zip(*curve, strict=True)) for curve in curves]
    steps = [s for s in sorted(set().union(*by_step)) if 2 * sum(s in values for values in by_step) >= len(curves)]
    return steps, np.array([[values.get(s, np.nan) for s in steps] for values in by_step])


def _mean_and_band(table: np.ndarray, bounds: tuple[float, float]) -> tuple[list[float], list[float], list[float]]:
    """Mean and t interval of each column of `[n, S]`, without NaN, within the bounds of the figure.

    For a single value the interval is that value.
    """
    count = np.sum(~np.isnan(table), 0)
    mean = np.nanmean(table, 0)
    spread = np.sqrt(np.nansum((table - mean) ** 2, 0) / np.maximum(count - 1, 1))
    half = np.zeros(len(mean))
    for n in set(count.tolist()):
        if n > 1:
            half[count == n] = _half_of_interval(n)
    half = half * spread
    low, high = np.maximum(mean - half, bounds[0]), np.minimum(mean + half, bounds[1])
    return mean.tolist(), np.minimum(mean, low).tolist(), np.maximum(mean, high).tolist()


def _half_of_interval(n: int) -> float:
    """Half the width of the t interval of n values with standard deviation 1."""
    values = [-1.0, *[0.0] * (n - 2), 1.0]
    _, _, high = statistics.t_interval(values)
    return (high or 0.0) / float(np.std(values, ddof=1))
