"""Which tasks help each other: every pair trained together, compared with each of the two alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis.curves.metrics_files import COSINE, Curves, read_curves
from mtlrun.compare.analysis.inference import COSINES
from mtlrun.compare.analysis.questions import adjusted, tested
from mtlrun.compare.analysis.setting_result import Criteria
from mtlrun.compare.analysis.task_groups import propose
from mtlrun.compare.collect.settings import Setting
from mtlrun.compare.recommendation_records import Verdict
from mtlrun.compare.records import Affinity, Estimate, Finding, TaskColumn
from mtlrun.compose.plans.affinity import PAIRS

Pair = tuple[str, str]


def affinity(
    settings: Sequence[Setting], baseline: Setting, criteria: Criteria, findings: list[Finding]
) -> Affinity | None:
    """Gains, gradient cosines and trunk distances of main tasks that were trained in pairs.

    None without pairs, or if the baseline is not single-task nets. With two main tasks every shared net is a pair; then
    only the arm of pairs counts. gains[a, b] is the percentage by which the figure of a is better with b than alone, by
    seed. Of several settings with the same pair the first counts.
    """
    columns = {column.task: column for column in criteria.columns}
    pairs = _pairs(settings, columns)
    if not baseline.alone or not pairs:
        return None
    from mtlrun.compare.analysis.distance import distances  # imports torch, which other comparisons do not need

    curves = read_curves(pairs, findings)
    gains: dict[Pair, Estimate] = {}
    cosines: dict[Pair, Estimate] = {}
    for pair in pairs:
        one, two = _tasks(pair)
        for task, other in ((one, two), (two, one)):
            gain = criteria.inference.estimate(_gains(pair, baseline, columns[task], criteria.split))
            if gain is not None:
                gains.setdefault((task, other), gain)
            cosine = criteria.inference.estimate(_cosines(pair, task, other, curves), COSINES)
            if cosine is not None:
                cosines.setdefault((task, other), cosine)
                cosines.setdefault((other, task), cosine)
    tasks = tuple(columns)
    found = Affinity(tasks, gains, cosines, distances(baseline, tasks, criteria.inference, findings))
    return _with_verdicts(found, criteria)


def _with_verdicts(found: Affinity, criteria: Criteria) -> Affinity:
    """Adds the tests of gains and the groups of tasks.

    The mean gains of the tasks are one family of tests under Holm's adjustment, the gains of a task by another a second
    one. Pairs are tested whatever the mean says: a task that gains by one task and loses by another has a mean near 0.
    A task with one partner has no mean gain.
    """
    by_task: dict[str, list[Mapping[int, float]]] = {}
    for (task, _), gain in found.gains.items():
        by_task.setdefault(task, []).append(gain.values)
    means = {task: _mean(gains) for task, gains in by_task.items() if len(gains) > 1}
    estimates = {task: mean for task, values in means.items() if (mean := criteria.inference.estimate(values))}
    verdicts: dict[tuple[str, ...], Verdict] = {}
    for family in ({(task,): mean for task, mean in estimates.items()}, found.gains):
        drops = {names: {seed: -gain for seed, gain in own.values.items()} for names, own in family.items()}
        tests = adjusted({names: tested(values, criteria) for names, values in drops.items()}, criteria)
        verdicts |= {names: test.verdict for names, test in tests.items()}
    shown = {p: gain.mean for p, gain in found.gains.items() if verdicts.get(p) in ("better", "worse")}
    return replace(found, mean_gains=estimates, verdicts=verdicts, groups=propose(found.tasks, shown))


def _mean(gains: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """The mean of several gains, for the seeds that all of them have."""
    seeds = set.intersection(*map(set, gains))
    return {seed: float(np.mean([gain[seed] for gain in gains])) for seed in sorted(seeds)}


def _pairs(settings: Sequence[Setting], columns: Mapping[str, TaskColumn]) -> list[Setting]:
    """The settings that train two main tasks in one net."""
    pairs = [s for s in settings if s.multi_task and len(_tasks(s)) == 2 and set(_tasks(s)) <= columns.keys()]
    return pairs if len(columns) > 2 else [s for s in pairs if s.arm == PAIRS]


def _tasks(setting: Setting) -> tuple[str, ...]:
    return setting.members[0].tasks if setting.members else ()


def _gains(pair: Setting, baseline: Setting, column: TaskColumn, split: str) -> dict[int, float]:
    """Seed -> percentage by which the figure of a task is better in a pair than alone."""
    name = f"{split}/{column.task}/{column.metric}"
    alone = {s: run.figures[name] for s, run in baseline.of(column.task).items() if name in run.figures}
    paired = {s: run.figures[name] for s, run in pair.of(column.task).items() if name in run.figures and s in alone}
    return {s: -float(statistics.relative_drop(v, alone[s], column.higher)) for s, v in paired.items()}


def _cosines(pair: Setting, task: str, other: str, curves: Curves) -> dict[int, float]:
    """Seed -> cosine of the gradients of two tasks, averaged over training."""
    values = {s: curves.of(run, ("train", task, COSINE + other))[1] for s, run in pair.of(task).items()}
    return {s: float(np.mean(v)) for s, v in values.items() if v}
