"""The questions that a comparison answers beside its table: together or alone, nets or boosting, the fixed weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis.inference import LEVEL, Inference
from mtlrun.compare.analysis.reference import Figures, closest_alone, unlike, usual_words
from mtlrun.compare.collect.settings import TRAIN_ROWS, Runs, Setting
from mtlrun.compare.records import Affinity, Against, Estimate, TaskColumn, Verdict
from mtlrun.tasks import higher_is_better

WEIGHTS = "loss.weights."
FIXED_WEIGHTS = 3  # settings of loss=fixed that count as a sweep


@dataclass(frozen=True)
class Tested:
    """A paired difference in percent, negative where the first is better, and what it can be taken for.

    adjusted: whether p is, by Holm's method
    """

    difference: Estimate
    p: float
    verdict: Verdict
    adjusted: bool = False


@dataclass(frozen=True)
class Together:
    """A shared net against single-task nets: Δm, and each task by itself (Holm over them)."""

    label: str
    alone: str
    whole: Tested
    tasks: Mapping[str, Tested]


def tested(values: Mapping[int, float], inference: Inference, margin: float) -> Tested | None:
    """One difference per seed, tested as those of the table, without adjustment; None where there are none."""
    difference = inference.estimate(values)
    if difference is None:
        return None
    p = inference.p([*difference.values.values()])[2]
    return Tested(difference, p, _verdict(difference, p, inference, margin))


def _verdict(difference: Estimate, p: float, inference: Inference, margin: float) -> Verdict:
    return statistics.verdict(difference.mean, p, inference.equivalent([*difference.values.values()], margin), LEVEL)


def adjusted(found: Sequence[Tested], inference: Inference, margin: float) -> list[Tested]:
    """The same with Holm's adjustment over all of them."""
    p = statistics.holm([own.p for own in found])
    return [
        Tested(own.difference, float(holm), _verdict(own.difference, float(holm), inference, margin), True)
        for own, holm in zip(found, p, strict=True)
    ]


def less(one: Estimate | None, other: Estimate | None) -> dict[int, float]:
    """The difference of two rows' Δm, of the seeds that both have."""
    if one is None or other is None:
        return {}
    return {seed: value - other.values[seed] for seed, value in one.values.items() if seed in other.values}


def by_task(
    own: Figures, base: Figures, columns: Sequence[TaskColumn], inference: Inference, margin: float
) -> dict[str, Tested]:
    """Each task's drop against `base`, its metrics averaged, with Holm's adjustment over the tasks."""
    found = {}
    for column in columns:
        higher = [higher_is_better(metric) for metric in column.metrics]
        values = {}
        for seed in sorted(own.keys() & base.keys()):
            one, other = ([f[seed].get((column.task, m), np.nan) for m in column.metrics] for f in (own, base))
            values[seed] = float(statistics.delta_m_per_metric([statistics.relative_drop(one, other, higher)]))
        if (result := tested(values, inference, margin)) is not None:
            found[column.task] = result
    return dict(zip(found, adjusted([*found.values()], inference, margin), strict=True))


def together(
    settings: Sequence[Setting],
    complete: Sequence[Figures],
    per_task: Sequence[Estimate | None],
    against: Sequence[Against | None],
    reference: int,
    plain: int | None,
    columns: Sequence[TaskColumn],
    inference: Inference,
    margin: float,
) -> Together | None:
    """The plain sum, or else the shared net that is most like the others, against single-task nets."""
    methods = [i for i, s in enumerate(settings) if s.kind == "method" and complete[i]]
    usual = usual_words([settings[i] for i in methods])
    shared_net = plain if plain is not None else min(methods, key=lambda i: unlike(settings[i], usual), default=None)
    lone = closest_alone(settings, complete, shared_net)
    if shared_net is None or lone is None:
        return None
    whole = tested(less(per_task[shared_net], per_task[lone]), inference, margin)
    if whole is None:
        return None
    in_table = against[lone] if reference == shared_net else against[shared_net] if reference == lone else None
    if in_table is not None:  # the same test, as the table has adjusted it
        flipped = {"better": "worse", "worse": "better"} if reference == shared_net else {}
        word: Any = flipped.get(in_table.verdict, in_table.verdict)
        whole = Tested(whole.difference, in_table.p_holm, word, True)
    tasks = by_task(complete[shared_net], complete[lone], columns, inference, margin)
    return Together(settings[shared_net].label, settings[lone].label, whole, tasks)


def curve(
    settings: Sequence[Setting],
    per_task: Sequence[Estimate | None],
    bases: Sequence[int | None],
    inference: Inference,
    margin: float,
) -> dict[int, Tested]:
    """By number of training rows, a shared net against the single-task nets of the same rows, with Holm's adjustment;
    of several shared nets the first."""
    found: dict[int, Tested] = {}
    for setting, own, base in zip(settings, per_task, bases, strict=True):
        count = setting.words.get(TRAIN_ROWS) or next((run.rows.get("train") for run in setting.members), None)
        if setting.kind == "method" and base is not None and count is not None:
            result = tested(less(own, per_task[base]), inference, margin)
            if result is not None:
                found.setdefault(int(count), result)
    return dict(zip(found, adjusted([*found.values()], inference, margin), strict=True))


def pairs(found: Affinity, inference: Inference, margin: float) -> dict[tuple[str, str], Tested]:
    """What a task's figure (first) comes to when another (second) is trained with it, with Holm's adjustment."""
    known = {}
    for names, gain in found.gains.items():
        result = tested({seed: -value for seed, value in gain.values.items()}, inference, margin)
        if result is not None:
            known[names] = result
    return dict(zip(known, adjusted([*known.values()], inference, margin), strict=True))


def unpaired(own: Figures, other: Figures, base: Figures, columns: Sequence[TaskColumn]) -> Estimate | None:
    """The difference of the Δm of two rows that share no seed, with a bootstrap of whole runs (statistics).

    Both are relative to the mean figures of `base`. Tasks without a figure in every run are left out.
    """
    keys = [(c.task, m) for c in columns for m in c.metrics]
    keys = [key for key in keys if all(key in run for f in (own, other, base) for run in f.values())]
    if not keys or not own or not other or not base:
        return None
    tables = [np.array([[run[key] for key in keys] for run in f.values()]) for f in (own, other, base)]
    higher = np.array([higher_is_better(metric) for _, metric in keys])
    groups = [g for c in columns if (g := [i for i, (task, _) in enumerate(keys) if task == c.task])]

    def delta_m(runs: np.ndarray) -> np.ndarray:
        drops = statistics.relative_drop(runs, tables[2].mean(0), higher)
        return statistics.delta_m_per_task([drops[:, group] for group in groups])[:, None]

    def difference(one: np.ndarray, two: np.ndarray) -> float:
        return float(one.mean() - two.mean())  # a drop is linear in the figure: as good as the drop of the means

    one, two = delta_m(tables[0]), delta_m(tables[1])
    mean = difference(one, two)
    return Estimate(mean, *statistics.bootstrap_runs(one, two, difference), {}) if np.isfinite(mean) else None


def boosting(
    settings: Sequence[Setting], per_task: Sequence[Estimate | None], inference: Inference, margin: float
) -> tuple[str, list[Tested]] | None:
    """The row of gradient boosting with the lowest Δm, by its label, and its difference to every net, with Holm's
    adjustment."""
    means = {i: own.mean for i, s in enumerate(settings) if s.kind == "boosting" and (own := per_task[i]) is not None}
    if not means:
        return None
    boosted = min(means, key=lambda i: means[i])
    held = [
        tested(less(per_task[boosted], per_task[i]), inference, margin)
        for i, setting in enumerate(settings)
        if setting.kind != "boosting"
    ]
    found = [own for own in held if own is not None]
    return (settings[boosted].label, adjusted(found, inference, margin)) if found else None


def under_fixed_weights(settings: Sequence[Setting], columns: Sequence[TaskColumn], split: str) -> list[bool | None]:
    """Whether some setting of a sweep of fixed weights has mean figures nowhere worse and somewhere better than a row.

    None of rows that are part of the sweep, of those that are no shared nets, and where there is no sweep: fewer than
    `FIXED_WEIGHTS` settings. Where --tune chooses weights, all that were tried count.
    """
    tried = fixed_weights(settings)
    sweep = [mean for own in tried.values() for runs in own if (mean := _means(runs, columns, split)) is not None]
    found: list[bool | None] = [None] * len(settings)
    if len(tried) < FIXED_WEIGHTS or not sweep:
        return found
    higher = [column.higher for column in columns]
    for i, setting in enumerate(settings):
        if setting.kind == "method" and not is_fixed(setting):
            own = _means(setting.runs, columns, split)
            found[i] = None if own is None else bool(statistics.dominated_by([own], sweep, higher)[0])
    return found


def fixed_weights(settings: Sequence[Setting]) -> dict[tuple[tuple[str, float], ...], list[Runs]]:
    """The weights of loss=fixed that were tried, each with the runs of every row or trial that has them."""
    found: dict[tuple[tuple[str, float], ...], list[Runs]] = {}
    for setting in filter(is_fixed, settings):
        for runs in setting.tried.values():
            run = next(iter(next(iter(runs.values())).values()))
            weights = tuple((k, float(v)) for k, v in sorted(run.settings.items()) if k.startswith(WEIGHTS))
            found.setdefault(weights, []).append(runs)
    return found


def weights_tried(settings: Sequence[Setting]) -> int:
    """How many weights of loss=fixed were tried, here or before --confirm trained the chosen ones."""
    before = {
        tuple(own for own in trial if own[0].startswith(WEIGHTS)) for s in settings if is_fixed(s) for trial in s.before
    }
    return max(len(fixed_weights(settings)), len(before))


def is_fixed(setting: Setting) -> bool:
    """Whether a row is a shared net with loss=fixed."""
    return setting.kind == "method" and setting.words.get("loss") == "fixed"


def _means(runs: Runs, columns: Sequence[TaskColumn], split: str) -> list[float] | None:
    """Mean over seeds of each column's figure; None where one has none."""
    found = []
    for column in columns:
        name = f"{split}/{column.task}/{column.metric}"
        own = [run.figures[name] for by in runs.values() if (run := by.get(column.task)) and name in run.figures]
        if not own:
            return None
        found.append(float(np.mean(own)))
    return found
