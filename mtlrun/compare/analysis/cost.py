"""What a step of a row costs, beside the plain sum's, where the two were measured alike."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from mtlrun.compare.collect.settings import Setting
from mtlrun.compare.records import Cost

SECONDS = 5.0  # of a row's runs in all: below, starting and whatever else the machine does are what is compared
HARDWARE = ("device", "cpu", "gpu", "threads")


def costs(settings: Sequence[Setting], plain: int | None) -> list[Cost | None]:
    """The cost of each row, relative to the row `plain`; None for rows without completed runs.

    A run's time is its share of its stack's. Rows are comparable where their stacks are of one size, on the same
    hardware, and hold runs of that row alone: runs of several rows in one stack share their time. Rows of less than
    5 seconds in all have no relative time.
    """
    measured = [_measured(setting) if setting.runs else None for setting in settings]
    alike = [_alike(setting) for setting in settings]
    found: list[Cost | None] = []
    for i, setting in enumerate(settings):
        seconds = measured[i]
        if seconds is None:
            found.append(None)
            continue
        memory = max(run.memory for run in setting.members) or None
        why = alike[i][1]
        relative = None
        if setting.unfinished:
            why = "runs are not finished, and their stacks' time is not known yet"
        if setting.kind == "boosting":
            seconds, why = None, "iterations of boosting are no steps"
        elif plain is None or not (base := measured[plain]):
            why = "there is no plain sum to be relative to"
        elif not why and alike[plain][1]:
            why = alike[plain][1]
        elif not why and alike[i][0] != alike[plain][0]:
            why = "stacks of unequal size, or unequal hardware"
        elif not why and min(sum(run.seconds for run in own.members) for own in (setting, settings[plain])) < SECONDS:
            why = "too short to be compared"
        elif not why:
            relative = seconds / base
        found.append(Cost(relative, seconds, memory, why))
    return found


def _measured(setting: Setting) -> float | None:
    """Seconds of a step, averaged over seeds; of single-task nets the sum over tasks."""
    every: dict[tuple[str, ...], list[float]] = {}
    steps: Counter[str] = Counter()  # a stack goes on until its last run ends
    for run in setting.members:
        steps[run.stack[0]] = max(steps[run.stack[0]], run.steps)
    for run in setting.members:
        if steps[run.stack[0]]:
            every.setdefault(run.tasks, []).append(run.seconds / steps[run.stack[0]])
    return sum(float(np.mean(own)) for own in every.values()) if every else None


def _alike(setting: Setting) -> tuple[object, str]:
    """What makes a row's times comparable (its stacks' size, the hardware), and what keeps them from it."""
    members = setting.members
    inside = Counter(run.stack for run in members)
    conditions = {(run.stack[1], *(run.hardware.get(key) for key in HARDWARE)) for run in members}
    if any(count < size for (_, size), count in inside.items()):
        return None, "stacks hold runs of several settings, which share their time"
    if len(conditions) > 1:
        return None, "stacks of unequal size, or unequal hardware"
    return next(iter(conditions), None), ""
