"""Questions that a comparison answers besides its table: together or alone, nets or boosting, fixed weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis.inference import LEVEL, paired_difference
from mtlrun.compare.analysis.reference import Comparators, closest_alone, most_usual
from mtlrun.compare.analysis.setting_result import Criteria, Figures, SettingResult
from mtlrun.compare.collect.settings import TRAIN_ROWS, Runs, Setting
from mtlrun.compare.recommendation_records import Verdict
from mtlrun.compare.records import Estimate

WEIGHTS = "loss.weights."
FIXED_WEIGHTS = 3  # fewest settings of loss=fixed that count as a sweep

Key = TypeVar("Key")
OPPOSITE: dict[Verdict, Verdict] = {"better": "worse", "worse": "better"}


@dataclass(frozen=True)
class Tested:
    """A paired difference in percent, negative if the first is better, and the verdict on it.

    adjusted: whether p has Holm's adjustment
    """

    difference: Estimate
    p: float
    verdict: Verdict
    adjusted: bool = False


@dataclass(frozen=True)
class Together:
    """A shared net against single-task nets: Δm, and each task separately (Holm over the tasks)."""

    label: str
    alone: str
    whole: Tested
    tasks: Mapping[str, Tested]


def tested(values: Mapping[int, float], criteria: Criteria) -> Tested | None:
    """Tests one difference per seed as in the table, without adjustment; None if there are no differences."""
    difference = criteria.inference.estimate(values)
    if difference is None:
        return None
    p = criteria.inference.p([*difference.values.values()])[2]
    return Tested(difference, p, _verdict(difference, p, criteria))


def _verdict(difference: Estimate, p: float, criteria: Criteria) -> Verdict:
    equivalent = criteria.inference.equivalent([*difference.values.values()], criteria.margin)
    return statistics.verdict(difference.mean, p, equivalent, LEVEL)


def adjusted(found: Mapping[Key, Tested | None], criteria: Criteria) -> dict[Key, Tested]:
    """The tested differences, with Holm's adjustment over all of them."""
    known = {key: single for key, single in found.items() if single is not None}
    p = statistics.holm([single.p for single in known.values()])
    return {
        key: Tested(single.difference, float(holm), _verdict(single.difference, float(holm), criteria), True)
        for (key, single), holm in zip(known.items(), p, strict=True)
    }


def turned(result: Tested) -> Tested:
    """The test of the second against the first."""
    verdict = OPPOSITE.get(result.verdict, result.verdict)
    return Tested(_negated(result.difference), result.p, verdict, result.adjusted)


def of_table(one: SettingResult, other: SettingResult, comparators: Comparators) -> Tested | None:
    """The test of `one` against `other` that the table shows; None if neither is the reference.

    A sentence on such a pair uses it, so that it never contradicts the table.
    """
    if comparators.reference is other and (against := one.row.against) is not None:
        return Tested(against.difference, against.p_holm, against.verdict, True)
    if comparators.reference is one and (against := other.row.against) is not None:
        return turned(Tested(against.difference, against.p_holm, against.verdict, True))
    return None


def _negated(estimate: Estimate) -> Estimate:
    low, high = (None if end is None else -end for end in (estimate.high, estimate.low))
    return Estimate(-estimate.mean, low, high, {seed: -value for seed, value in estimate.values.items()})


# ---------------------------------------------------------------- together or alone


def together(results: Sequence[SettingResult], comparators: Comparators, criteria: Criteria) -> Together | None:
    """The plain sum, or else the most typical shared net, against single-task nets."""
    shared = comparators.plain or most_usual(results)
    alone = closest_alone(results, shared)
    if shared is None or alone is None:
        return None
    whole = tested(paired_difference(shared.delta_m, alone.delta_m), criteria)
    if whole is None:
        return None
    whole = of_table(shared, alone, comparators) or whole
    return Together(shared.label, alone.label, whole, by_task(shared.complete, alone.complete, criteria))


def by_task(figures: Figures, base: Figures, criteria: Criteria) -> dict[str, Tested]:
    """The drop of each task against `base`, averaged over its metrics, with Holm's adjustment over the tasks."""
    found: dict[str, Tested | None] = {}
    for column in criteria.columns:
        values = {}
        for seed in sorted(figures.keys() & base.keys()):
            one, other = ([side[seed].get(key, np.nan) for key in column.keys] for side in (figures, base))
            drops = statistics.relative_drop(one, other, column.directions)
            values[seed] = float(statistics.delta_m_per_metric([drops]))
        found[column.task] = tested(values, criteria)
    return adjusted(found, criteria)


def curve(results: Sequence[SettingResult], comparators: Comparators, criteria: Criteria) -> dict[int, Tested]:
    """Number of training rows -> a shared net against single-task nets with the same rows, with Holm's adjustment.

    Of several shared nets with the same number of rows the first counts.
    """
    found: dict[int, Tested | None] = {}
    shown: dict[int, Tested] = {}
    for result in results:
        setting, baseline = result.setting, result.baseline
        count = setting.words.get(TRAIN_ROWS) or next((run.rows.get("train") for run in setting.members), None)
        if setting.multi_task and baseline is not None and count is not None and found.get(int(count)) is None:
            found[int(count)] = tested(paired_difference(result.delta_m, baseline.delta_m), criteria)
            # the Δm of every single-task baseline is 0, so that the table's test against one of them is the same
            against = of_table(result, comparators.reference, comparators) if comparators.by_rows else None
            shown |= {} if against is None else {int(count): against}
    return adjusted(found, criteria) | shown


# ---------------------------------------------------------------- gradient boosting


def best_boosting(results: Sequence[SettingResult]) -> SettingResult | None:
    """The boosting row with the lowest Δm; None if no boosting row has one."""
    means = {r: r.delta_m.mean for r in results if r.setting.boosting and r.delta_m is not None}
    return min(means, key=lambda result: means[result], default=None)


def boosting_against_nets(
    results: Sequence[SettingResult], comparators: Comparators, criteria: Criteria
) -> dict[SettingResult, Tested]:
    """Net -> the difference of the best boosting row to it, with Holm's adjustment over nets.

    Where the table has the test, it is the table's.
    """
    best = best_boosting(results)
    if best is None:
        return {}
    nets = [result for result in results if not result.setting.boosting]
    found = {net: tested(paired_difference(best.delta_m, net.delta_m), criteria) for net in nets}
    return {net: of_table(best, net, comparators) or single for net, single in adjusted(found, criteria).items()}


def boosting(
    results: Sequence[SettingResult], comparators: Comparators, criteria: Criteria
) -> tuple[str, list[Tested]] | None:
    """The label of the best boosting row and `boosting_against_nets`; None without either."""
    best, shown = best_boosting(results), boosting_against_nets(results, comparators, criteria)
    return (best.label, [*shown.values()]) if best is not None and shown else None


# ---------------------------------------------------------------- the sweep of fixed weights


def under_fixed_weights(results: Sequence[SettingResult], criteria: Criteria) -> dict[SettingResult, bool]:
    """Whether the mean figures of some setting of a sweep of fixed weights are nowhere worse and somewhere better.

    The result has the shared nets that are not part of the sweep. It is empty if there are fewer than `FIXED_WEIGHTS`
    settings in the sweep. If --tune chooses weights, all tried weights count.
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
    """The tried weights of loss=fixed -> the runs of every row or trial that has them."""
    found: dict[tuple[tuple[str, float], ...], list[Runs]] = {}
    for setting in filter(is_fixed, settings):
        for runs in setting.tried.values():
            run = next(iter(next(iter(runs.values())).values()))
            weights = tuple((k, float(v)) for k, v in sorted(run.settings.items()) if k.startswith(WEIGHTS))
            found.setdefault(weights, []).append(runs)
    return found


def weights_tried(settings: Sequence[Setting]) -> int:
    """The number of tried weights of loss=fixed, here or before --confirm."""
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
    """The figure of each column, averaged over seeds; None if a column has none."""
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
