"""Δm of every setting against its baseline, also for settings that share no seed, and findings where Δm is missing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis.reference import Comparators
from mtlrun.compare.analysis.setting_result import Criteria, Figures, SettingResult
from mtlrun.compare.collect.settings import TRAIN_ROWS
from mtlrun.compare.records import Estimate, Finding, TaskColumn
from mtlrun.compose.plans.affinity import PAIRS
from mtlrun.statistics.arrays import Floats
from mtlrun.util.errors import listing


def set_delta_m(results: Sequence[SettingResult], comparators: Comparators, criteria: Criteria) -> None:
    """Sets `delta_m` and `delta_m_metrics` of every setting, per seed.

    A setting that shares no seed with the baseline gets only `delta_m`, as an unpaired difference.
    """
    base = comparators.baseline.complete
    for result in results:
        if result.baseline is None:
            continue
        result.delta_m, result.delta_m_metrics = delta_m(result.complete, result.baseline.complete, criteria)
        if result.delta_m is None and not result.complete.keys() & base.keys():
            result.delta_m = unpaired_difference(result.complete, base, base, criteria.columns)


def delta_m(figures: Figures, base: Figures, criteria: Criteria) -> tuple[Estimate | None, Estimate | None]:
    """Δm per task and per metric, over the seeds that `base` has too and in which Δm is defined; None without any."""
    seeds = sorted(figures.keys() & base.keys())
    if not seeds:
        return None, None
    drops = [relative_drops(_table(figures, seeds, c), _table(base, seeds, c), c) for c in criteria.columns]
    per_task, per_metric = statistics.delta_m_per_task(drops), statistics.delta_m_per_metric(drops)
    known = [i for i in range(len(seeds)) if np.isfinite(per_task[i])]
    estimate = criteria.inference.estimate
    return estimate({seeds[i]: per_task[i] for i in known}), estimate({seeds[i]: per_metric[i] for i in known})


def relative_drops(figures: Floats, base: Floats, column: TaskColumn) -> Floats:
    """Percent by which the metrics `[..., J]` of a task are worse than those of the baseline."""
    return statistics.relative_drop(figures, base, column.directions)


def _table(figures: Figures, seeds: Sequence[int], column: TaskColumn) -> Floats:
    """The metrics `[seeds, J]` of a task, NaN if a seed has none."""
    return np.array([[figures[seed].get(key, np.nan) for key in column.keys] for seed in seeds])


def unpaired_difference(
    figures: Figures, other: Figures, base: Figures, columns: Sequence[TaskColumn]
) -> Estimate | None:
    """The difference of Δm of two settings that share no seed, with a bootstrap of whole runs (`bootstrap_runs`).

    Both Δm are relative to the mean figures of `base`. Metrics that some run lacks are left out.
    """
    kept = _known_everywhere(columns, [run for group in (figures, other, base) for run in group.values()])
    if not kept or not figures or not other or not base:
        return None
    keys = [key for column in kept for key in column.keys]
    tables = [np.array([[run[key] for key in keys] for run in group.values()]) for group in (figures, other, base)]
    higher = [direction for column in kept for direction in column.directions]
    ends = np.cumsum([len(column.metrics) for column in kept])[:-1]

    def delta_m_of_runs(table: Floats) -> Floats:  # [runs, keys] -> [runs, 1]
        drops = statistics.relative_drop(table, tables[2].mean(0), higher)
        return statistics.delta_m_per_task(np.split(drops, ends, axis=1))[:, None]

    def difference(one: Floats, two: Floats) -> float:
        return float(one.mean() - two.mean())  # drops are linear: this is the difference of the drops of the means

    one, two = delta_m_of_runs(tables[0]), delta_m_of_runs(tables[1])
    mean = difference(one, two)
    return Estimate(mean, *statistics.bootstrap_runs(one, two, difference), {}) if np.isfinite(mean) else None


def _known_everywhere(
    columns: Sequence[TaskColumn], runs: Sequence[Mapping[tuple[str, str], float]]
) -> list[TaskColumn]:
    """The columns, each with the metrics that every run has. Columns without such metrics are left out."""
    known = set.intersection(*map(set, runs)) if runs else set()
    kept = [replace(c, metrics=tuple(metric for task, metric in c.keys if (task, metric) in known)) for c in columns]
    return [column for column in kept if column.metrics]


# ---------------------------------------------------------------- gaps


def gaps(results: Sequence[SettingResult], comparators: Comparators, columns: Sequence[TaskColumn]) -> list[Finding]:
    """Findings on settings without Δm, on seeds without Δm, and on undefined drops."""
    found = [finding for result in results for finding in _gaps_of(result, columns)]
    base = comparators.baseline
    for column in columns:
        for key, higher in zip(column.keys, column.directions, strict=True):
            values = {seed: known[key] for seed, known in base.complete.items() if key in known}
            zero = [s for s, value in values.items() if np.isnan(statistics.relative_drop(value, value, higher))]
            if zero:
                text = f"{key[1]} of {column.task} is next to 0 for {base.label}, seed {listing(zero)}: left out of Δm"
                found.append(Finding("warning", "a baseline of 0", text))
    return found


def _gaps_of(result: SettingResult, columns: Sequence[TaskColumn]) -> Iterator[Finding]:
    """Findings on the tasks or seeds for which a setting has no Δm. A pair of tasks lacks the others on purpose."""
    setting, label = result.setting, result.label
    without = [
        column.task for column in columns if not any(column.primary in known for known in result.figures.values())
    ]
    if setting.arm == PAIRS and not set(without) & {task for run in setting.members for task in run.tasks}:
        return  # affinity compares it with each of its two tasks alone
    if result.figures and without:
        yield Finding("warning", "missing cells", f"{label}: no figures of {listing(without)}, and so no Δm")
        return
    if result.baseline is None:
        text = f"{label}: no single-task nets with its {TRAIN_ROWS}, and so no Δm"
        yield Finding("warning", "missing pairs", text)
        return
    if partial := sorted(result.figures.keys() - result.complete.keys()):
        text = f"{label}: not every task has a figure with seed {listing(partial)}: no Δm of those"
        yield Finding("warning", "missing cells", text)
    apart = sorted(result.complete.keys() - result.baseline.complete.keys())
    if apart and len(apart) < len(result.complete):
        text = f"{label}: {result.baseline.label} has no run with seed {listing(apart)}: no Δm of those"
        yield Finding("warning", "missing pairs", text)
