"""Tests against the reference, the leader, mean ranks, and dominated settings."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis.delta_m import unpaired_difference
from mtlrun.compare.analysis.inference import LEVEL, Inference, paired_difference
from mtlrun.compare.analysis.reference import Comparators
from mtlrun.compare.analysis.setting_result import Criteria, SettingResult
from mtlrun.compare.records import Against, TaskColumn

Value = TypeVar("Value")


def against_reference(
    results: Sequence[SettingResult], comparators: Comparators, criteria: Criteria
) -> dict[SettingResult, Against]:
    """Tests the settings against the reference, with Holm's adjustment over all of them.

    A setting that shares no seed with the reference gets the interval of an unpaired difference and stays undecided.
    """
    reference, inference = comparators.reference, criteria.inference
    tested = comparators.tested(results)
    differences = {result: paired_difference(result.delta_m, reference.delta_m) for result in tested}
    paired = {result: values for result, values in differences.items() if values}
    p = {result: inference.p([*values.values()]) for result, values in paired.items()}
    adjusted = statistics.holm([counts for _, _, counts in p.values()])
    found = {
        result: _against(values, p[result], float(p_holm), criteria)
        for (result, values), p_holm in zip(paired.items(), adjusted, strict=True)
    }
    for result in tested:
        if result.complete and not result.complete.keys() & reference.complete.keys():
            base, nan = comparators.baseline.complete, math.nan
            estimate = unpaired_difference(result.complete, reference.complete, base, criteria.columns)
            if estimate is not None:
                found[result] = Against(estimate, nan, nan, nan, nan, nan, nan, nan, False, "undecided")
    return found


def _against(
    differences: Mapping[int, float], p: tuple[float, float, float], p_holm: float, criteria: Criteria
) -> Against:
    """The record of paired differences, with intervals, p and verdict."""
    values = [*differences.values()]
    estimate = criteria.inference.estimate(differences)
    assert estimate is not None, "there are values"
    equivalent = criteria.inference.equivalent(values, criteria.margin)
    word = statistics.verdict(estimate.mean, p_holm, equivalent, LEVEL)
    return Against(estimate, *statistics.wins(values), *p, p_holm, equivalent, word)


def find_leader(
    results: Sequence[SettingResult], inference: Inference
) -> tuple[SettingResult | None, dict[SettingResult, bool]]:
    """The setting with the lowest mean Δm, and for each other setting whether it cannot be distinguished from it.

    Holm's adjustment is over the other settings. Only seeds that all settings share count. Settings with less than half
    of the largest number of seeds are left out.
    """
    by_seed = _on_shared_seeds({result: result.delta_m.values for result in results if result.delta_m is not None})
    if len(by_seed) < 2:
        return None, {}
    leader = min(by_seed, key=lambda result: float(np.mean(by_seed[result])))
    others = [result for result in by_seed if result is not leader]
    if len(by_seed[leader]) < 2:
        return leader, {}
    differences = [np.subtract(by_seed[result], by_seed[leader]).tolist() for result in others]
    adjusted = statistics.holm([inference.p(values)[2] for values in differences])
    return leader, {result: bool(p > LEVEL) for result, p in zip(others, adjusted, strict=True)}


def agree(results: Sequence[SettingResult], leader: SettingResult | None, reference: SettingResult) -> None:
    """Makes the marks "not distinguishable from the leader" agree with the verdicts against the reference.

    The two differ in their families of tests and in their seeds: a verdict also uses seeds that other rows lack. If the
    leader or the marked row is the reference, the verdict decides.
    """
    for result in results:
        if leader is None or result is leader or result.row.like_leader is None or reference not in (leader, result):
            continue
        against = (result if reference is leader else leader).row.against
        if against is not None and against.difference.values:
            alike = against.verdict not in ("better", "worse")
            result.row = replace(result.row, like_leader=alike)


def mean_ranks(results: Sequence[SettingResult], columns: Sequence[TaskColumn]) -> dict[SettingResult, float]:
    """Mean rank over tasks, averaged over the seeds that all ranked settings share, for settings with every task."""
    by_seed = _on_shared_seeds({result: result.complete for result in results if result.complete})
    if len(by_seed) < 2:
        return {}
    higher = [column.higher for column in columns]
    ranks = [
        statistics.mean_rank([[figures[column.primary] for column in columns] for figures in of_seed], higher)
        for of_seed in zip(*by_seed.values(), strict=True)
    ]
    return {result: float(rank) for result, rank in zip(by_seed, np.mean(ranks, axis=0), strict=True)}


def _on_shared_seeds(found: Mapping[SettingResult, Mapping[int, Value]]) -> dict[SettingResult, list[Value]]:
    """The values on the shared seeds of the settings with at least half of the largest number of seeds.

    Empty if these settings share no seed.
    """
    most = max((len(values) for values in found.values()), default=0)
    kept = {result: values for result, values in found.items() if 2 * len(values) >= most}
    seeds = sorted(set.intersection(*map(set, kept.values()))) if kept else []
    return {result: [values[seed] for seed in seeds] for result, values in kept.items()} if seeds else {}


def dominated(results: Sequence[SettingResult], columns: Sequence[TaskColumn]) -> dict[SettingResult, bool]:
    """For settings with every task, whether the mean figures of another are nowhere worse and somewhere better."""
    means = {
        result: [np.mean([figures[column.primary] for figures in result.complete.values()]) for column in columns]
        for result in results
        if result.complete
    }
    in_front = statistics.front([*means.values()], [column.higher for column in columns])
    return {result: not bool(free) for result, free in zip(means, in_front, strict=True)}
