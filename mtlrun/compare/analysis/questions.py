"""The questions that a comparison answers beside its table: together or alone, nets or boosting, the fixed weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis.inference import LEVEL, paired_difference
from mtlrun.compare.analysis.reference import Comparators, closest_alone, most_usual
from mtlrun.compare.analysis.setting_result import Criteria, Figures, SettingResult
from mtlrun.compare.collect.settings import TRAIN_ROWS, Runs, Setting
from mtlrun.compare.records import Affinity, Estimate, Verdict

WEIGHTS = "loss.weights."
FIXED_WEIGHTS = 3  # settings of loss=fixed that count as a sweep

Key = TypeVar("Key")
OPPOSITE: dict[Verdict, Verdict] = {"better": "worse", "worse": "better"}


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


def tested(values: Mapping[int, float], criteria: Criteria) -> Tested | None:
    """One difference per seed, tested as those of the table, without adjustment; None where there are none."""
    difference = criteria.inference.estimate(values)
    if difference is None:
        return None
    p = criteria.inference.p([*difference.values.values()])[2]
    return Tested(difference, p, _verdict(difference, p, criteria))


def _verdict(difference: Estimate, p: float, criteria: Criteria) -> Verdict:
    equivalent = criteria.inference.equivalent([*difference.values.values()], criteria.margin)
    return statistics.verdict(difference.mean, p, equivalent, LEVEL)


def adjusted(found: Mapping[Key, Tested | None], criteria: Criteria) -> dict[Key, Tested]:
    """Those that could be tested, with Holm's adjustment over all of them."""
    known = {key: single for key, single in found.items() if single is not None}
    p = statistics.holm([single.p for single in known.values()])
    return {
        key: Tested(single.difference, float(holm), _verdict(single.difference, float(holm), criteria), True)
        for (key, single), holm in zip(known.items(), p, strict=True)
    }


# ---------------------------------------------------------------- together or alone


def together(results: Sequence[SettingResult], comparators: Comparators, criteria: Criteria) -> Together | None:
    """The plain sum, or else the shared net that is most like the others, against single-task nets."""
    shared = comparators.plain or most_usual(results)
    alone = closest_alone(results, shared)
    if shared is None or alone is None:
        return None
    whole = tested(paired_difference(shared.delta_m, alone.delta_m), criteria)
    if whole is None:
        return None
    # where the table has the same test, as the table has adjusted it
    if comparators.reference is shared and (held := alone.row.against) is not None:
        whole = Tested(whole.difference, held.p_holm, OPPOSITE.get(held.verdict, held.verdict), True)
    elif comparators.reference is alone and (held := shared.row.against) is not None:
        whole = Tested(whole.difference, held.p_holm, held.verdict, True)
    return Together(shared.label, alone.label, whole, _by_task(shared.complete, alone.complete, criteria))


def _by_task(figures: Figures, base: Figures, criteria: Criteria) -> dict[str, Tested]:
    """Each task's drop against `base`, its metrics averaged, with Holm's adjustment over the tasks."""
    found: dict[str, Tested | None] = {}
    for column in criteria.columns:
        values = {}
        for seed in sorted(figures.keys() & base.keys()):
            one, other = ([side[seed].get(key, np.nan) for key in column.keys] for side in (figures, base))
            drops = statistics.relative_drop(one, other, column.directions)
            values[seed] = float(statistics.delta_m_per_metric([drops]))
        found[column.task] = tested(values, criteria)
    return adjusted(found, criteria)


def curve(results: Sequence[SettingResult], criteria: Criteria) -> dict[int, Tested]:
    """By number of training rows, a shared net against the single-task nets of the same rows, with Holm's adjustment;
    of several shared nets the first."""
    found: dict[int, Tested | None] = {}
    for result in results:
        setting, baseline = result.setting, result.baseline
        count = setting.words.get(TRAIN_ROWS) or next((run.rows.get("train") for run in setting.members), None)
        if setting.multi_task and baseline is not None and count is not None and found.get(int(count)) is None:
            found[int(count)] = tested(paired_difference(result.delta_m, baseline.delta_m), criteria)
    return adjusted(found, criteria)


def pairs(found: Affinity, criteria: Criteria) -> dict[tuple[str, str], Tested]:
    """What a task's figure (first) comes to when another (second) is trained with it, with Holm's adjustment."""
    drops = {names: {seed: -value for seed, value in gain.values.items()} for names, gain in found.gains.items()}
    return adjusted({names: tested(values, criteria) for names, values in drops.items()}, criteria)


# ---------------------------------------------------------------- gradient boosting


def boosting(results: Sequence[SettingResult], criteria: Criteria) -> tuple[str, list[Tested]] | None:
    """The row of gradient boosting with the lowest Δm, by its label, and its difference to every net, with Holm's
    adjustment."""
    means = {r: r.delta_m.mean for r in results if r.setting.boosting and r.delta_m is not None}
    if not means:
        return None
    best = min(means, key=lambda result: means[result])
    nets = [result for result in results if not result.setting.boosting]
    found = {net: tested(paired_difference(best.delta_m, net.delta_m), criteria) for net in nets}
    return (best.label, [*adjusted(found, criteria).values()]) if any(found.values()) else None


# ---------------------------------------------------------------- the sweep of fixed weights


def under_fixed_weights(results: Sequence[SettingResult], criteria: Criteria) -> dict[SettingResult, bool]:
    """Whether some setting of a sweep of fixed weights has mean figures nowhere worse and somewhere better than a row.

    Of shared nets that are not part of the sweep; empty where there is no sweep: fewer than `FIXED_WEIGHTS` settings.
    Where --tune chooses weights, all that were tried count.
    """
    tried = fixed_weights([result.setting for result in results])
    sweep = [mean for tries in tried.values() for runs in tries if (mean := _means(runs, criteria)) is not None]
    if len(tried) < FIXED_WEIGHTS or not sweep:
        return {}
    others = [result for result in results if result.setting.multi_task and not is_fixed(result.setting)]
    means = {result: mean for result in others if (mean := _means(result.setting.runs, criteria)) is not None}
    higher = [column.higher for column in criteria.columns]
    return {result: bool(statistics.dominated_by([mean], sweep, higher)[0]) for result, mean in means.items()}


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
        tuple(choice for choice in trial if choice[0].startswith(WEIGHTS))
        for s in settings
        if is_fixed(s)
        for trial in s.before
    }
    return max(len(fixed_weights(settings)), len(before))


def is_fixed(setting: Setting) -> bool:
    """Whether a row is a shared net with loss=fixed."""
    return setting.multi_task and setting.words.get("loss") == "fixed"


def _means(runs: Runs, criteria: Criteria) -> list[float] | None:
    """Mean over seeds of each column's figure; None where one has none."""
    found = []
    for column in criteria.columns:
        name = f"{criteria.split}/{column.task}/{column.metric}"
        values = [
            run.figures[name] for by_task in runs.values() if (run := by_task.get(column.task)) and name in run.figures
        ]
        if not values:
            return None
        found.append(float(np.mean(values)))
    return found
