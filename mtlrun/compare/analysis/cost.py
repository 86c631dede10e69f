"""The cost of a step of a row, relative to that of the plain sum if both were measured under the same conditions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtlrun.compare.analysis.setting_result import SettingResult
from mtlrun.compare.collect.settings import Setting
from mtlrun.compare.records import Cost

SECONDS = 5.0  # fewest total seconds of a row: shorter times mostly measure the start and other load
HARDWARE = ("device", "cpu", "gpu", "threads")


@dataclass(frozen=True)
class Timing:
    """The times of the runs of a row.

    per_step: seconds of a step; None if runs took no steps
    total: total seconds
    conditions: what times depend on: size of the stacks and hardware
    why_not: why the times cannot be compared; "" if they can
    """

    per_step: float | None
    total: float
    conditions: object
    why_not: str


def costs(results: Sequence[SettingResult], plain: SettingResult | None) -> list[Cost | None]:
    """The cost of each row, relative to the row `plain`; None for rows without completed runs.

    The time of a run is the wall time of its stack divided by the number of runs. Rows are comparable if their stacks
    have the same size, ran on the same hardware and hold only runs of one row: runs of several rows in a stack share
    their time. Rows with a total below 5 seconds have no relative time.
    """
    base = None if plain is None else _timing(plain.setting)
    return [_cost(result.setting, base) if result.setting.runs else None for result in results]


def _cost(setting: Setting, base: Timing | None) -> Cost | None:
    timing = _timing(setting)
    if timing.per_step is None:
        return None
    memory = max(run.memory for run in setting.members) or None
    if setting.boosting:
        return Cost(None, None, memory, "iterations of boosting are no steps")
    why = _not_comparable(setting, timing, base)
    relative = timing.per_step / base.per_step if not why and base is not None and base.per_step else None
    return Cost(relative, timing.per_step, memory, why)


def _not_comparable(setting: Setting, timing: Timing, base: Timing | None) -> str:
    """Why the time per step of a row cannot be compared with that of the plain sum; "" if it can."""
    if base is None or not base.per_step:
        return "there is no plain sum to be relative to"
    if setting.unfinished:
        return "runs are not finished, and their stacks' time is not known yet"
    if timing.why_not or base.why_not:
        return timing.why_not or base.why_not
    if timing.conditions != base.conditions:
        return "stacks of unequal size, or unequal hardware"
    return "too short to be compared" if min(timing.total, base.total) < SECONDS else ""


def _timing(setting: Setting) -> Timing:
    runs = setting.members
    in_stack = Counter(run.stack for run in runs)
    conditions = {(run.stack[1], *(run.hardware.get(key) for key in HARDWARE)) for run in runs}
    why = ""
    if any(count < size for (_, size), count in in_stack.items()):
        why = "stacks hold runs of several settings, which share their time"
    elif len(conditions) > 1:
        why = "stacks of unequal size, or unequal hardware"
    return Timing(_per_step(setting), sum(run.seconds for run in runs), next(iter(conditions), None), why)


def _per_step(setting: Setting) -> float | None:
    """Seconds of a step, averaged over seeds; for single-task nets the sum over tasks."""
    by_tasks: dict[tuple[str, ...], list[float]] = {}
    steps: Counter[str] = Counter()  # steps of each stack: it trains until its last run ends
    for run in setting.members:
        steps[run.stack[0]] = max(steps[run.stack[0]], run.steps)
    for run in setting.members:
        if steps[run.stack[0]]:
            by_tasks.setdefault(run.tasks, []).append(run.seconds / steps[run.stack[0]])
    return sum(float(np.mean(seconds)) for seconds in by_tasks.values()) if by_tasks else None
