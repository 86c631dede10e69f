"""The number of steps until settings reach a target on val."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtlrun.compare.analysis.curves.metrics_files import Curve, Curves, Key
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.collect.settings import Setting
from mtlrun.compare.records import Speed, TaskColumn

SHARE = 0.95  # share of the way from the val figure of the trivial predictor to the best of the reference


@dataclass(frozen=True)
class Target:
    """A val figure that is to be reached."""

    value: float
    higher: bool  # higher figures are better

    def first_step(self, curve: Curve) -> float | None:
        """The first step at which a curve reaches the target; None if it never does."""
        for step, value in zip(*curve, strict=True):
            if value >= self.value if self.higher else value <= self.value:
                return float(step)
        return None


def speeds(
    settings: Sequence[Setting], curves: Curves, reference: Setting, columns: Sequence[TaskColumn]
) -> list[Speed]:
    """Steps until the val figure of each task reaches 95 % of the way from the trivial predictor to the reference.

    The figure of the reference is the mean over seeds of its best val figure. There is no target if either figure is
    unknown or if the reference is no better than the trivial predictor. Boosting has no steps and is left out.
    """
    found = []
    for column in columns:
        target = _target(reference, curves, column)
        if target is None:
            continue
        for setting in settings:
            known = [curves.of(run, _key(column)) for run in _with_curve(setting, curves, column)]
            if known and not setting.boosting:
                reached = [step for curve in known if (step := target.first_step(curve)) is not None]
                median = float(np.median(reached)) if reached else None
                found.append(Speed(setting.label, column.task, target.value, median, len(reached), len(known)))
    return found


def _target(reference: Setting, curves: Curves, column: TaskColumn) -> Target | None:
    """The target of a task: 95 % of the way from the trivial predictor to the reference; None if there is none."""
    name, pick = f"val/{column.task}/{column.metric}", max if column.higher else min
    runs = _with_curve(reference, curves, column)
    best = [pick(curves.of(run, _key(column))[1]) for run in runs]
    trivial = [run.trivial[name] for run in runs if name in run.trivial]
    if not best or not trivial:
        return None
    start, end = float(np.mean(trivial)), float(np.mean(best))
    better = end > start if column.higher else end < start
    return Target(start + SHARE * (end - start), column.higher) if better else None


def _key(column: TaskColumn) -> Key:
    return "val", column.task, column.metric


def _with_curve(setting: Setting, curves: Curves, column: TaskColumn) -> list[RunRecord]:
    """The runs of a setting that have val figures of a column."""
    return [run for run in setting.of(column.task).values() if curves.of(run, _key(column))[0]]
