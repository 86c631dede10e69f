"""Which settings go on: functions of their figures on val, paired with those of the default on the same split."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mtlrun import statistics
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.records import TaskColumn

LOST = math.inf  # the drop of a setting whose run failed


def drop(run: RunRecord | None, default: RunRecord, columns: Sequence[TaskColumn]) -> float:
    """Mean relative drop of a run on val against the default's on the same split, in percent; positive is worse.

    The formula is that of Δm over the primary metrics of the main tasks (`statistics.drop`). `LOST` without a run, or
    without a figure that the default has.
    """
    if run is None:
        return LOST
    drops = []
    for column in columns:
        key = f"val/{column.task}/{column.metric}"
        base = default.figures.get(key)
        if base is None:
            continue
        if (value := run.figures.get(key)) is None:
            return LOST
        drops.append(float(statistics.relative_drop(value, base, column.higher)))
    known = [value for value in drops if not math.isnan(value)]
    return float(np.mean(known)) if known else 0.0


def runs_of(settings: int, splits: int) -> int:
    """The runs of a batch of settings, of which the better half goes on to the next split."""
    return sum(math.ceil(settings / 2**split) for split in range(splits))


def survivors(drops: Mapping[int, Sequence[float]]) -> list[int]:
    """The better half of the settings by their mean drop over the splits so far; with an odd number, the larger half.

    drops: setting -> its drop on each split. Settings that failed on a split are out.
    """
    alive = {number: float(np.mean(values)) for number, values in drops.items() if LOST not in values}
    return sorted(alive, key=lambda number: alive[number])[: math.ceil(len(drops) / 2)]
