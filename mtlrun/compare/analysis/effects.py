"""Named differences, paired by seed: effects of rows that form a factorial, and contrasts between arms of a plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis.inference import LEVEL, paired_difference
from mtlrun.compare.analysis.setting_result import Criteria, SettingResult
from mtlrun.compare.collect.settings import in_order
from mtlrun.compare.records import Effect, Estimate
from mtlrun.compose.plans import Reading, reading_of
from mtlrun.compose.plans.reading import Word
from mtlrun.compose.question_counts import grid


@dataclass(frozen=True)
class Contrasts:
    """The contrasts of a plan.

    names: the name of each contrast in the plan. words: fill the braces of names and answers.
    """

    reading: Reading
    effects: Sequence[Effect]
    names: Sequence[str]
    words: Mapping[str, str]

    @property
    def answer(self) -> str | None:
        """The answer of the plan as a sentence. If rows of one arm disagree, their contrast counts as undecided."""
        if self.reading.answer is None:
            return None
        words: dict[str, set[Word]] = {}
        for name, effect in zip(self.names, self.effects, strict=True):
            words.setdefault(name, set()).add(word(effect))
        agreed = {name: next(iter(of_rows)) if len(of_rows) == 1 else "undecided" for name, of_rows in words.items()}
        return self.reading.answer(agreed).format(**self.words)


def word(effect: Effect) -> Word:
    """The result of a contrast of arms in a word."""
    if effect.p_holm <= LEVEL and effect.estimate.mean != 0:
        return "gain" if effect.estimate.mean > 0 else "loss"
    return "none" if effect.equivalent else "undecided"


def contrasts(results: Sequence[SettingResult], criteria: Criteria) -> Contrasts | None:
    """The contrasts of a plan, if the rows are its arms, with Holm's adjustment over all of them; else None.

    If an arm has several rows, there is a contrast for each row.
    """
    arms: dict[str, list[SettingResult]] = {}
    for result in results:
        if result.setting.arm is not None and result.delta_m is not None:
            arms.setdefault(result.setting.arm, []).append(result)
    reading, planned = reading_of(arms)
    known = []
    for contrast in planned:
        for one, other in product(arms[contrast.level], arms[contrast.against]):
            estimate = criteria.inference.estimate(paired_difference(one.delta_m, other.delta_m))
            if estimate is not None:
                known.append((contrast, Difference(contrast.name, one.label, other.label, estimate)))
    if not known:
        return None
    words = {key: value for contrast, _ in known for key, value in contrast.words.items()}
    effects = _adjusted([difference for _, difference in known], criteria)
    return Contrasts(reading, effects, [contrast.contrast.name for contrast, _ in known], words)


def effects(results: Sequence[SettingResult], reference: SettingResult, criteria: Criteria) -> list[Effect]:
    """Contrasts of Δm between the levels of each factor, against the level of the reference if it is one of the rows.

    A factor is a group with all its varying keys (chain, pass). If that gives no complete grid of several factors, each
    key is a factor. The result is empty if fewer than two factors vary, or if combinations are missing. Holm's
    adjustment is over the main effects, and separately over the interactions.
    """
    rows = [(r.setting, r.delta_m) for r in results if r.setting.multi_task and r.delta_m is not None]
    rows.sort(key=lambda row: row[0] is not reference.setting)  # the reference's levels come first
    settings = [setting.words for setting, _ in rows]
    keys = dict.fromkeys(key for setting, _ in rows for key in setting.words if key not in setting.chosen)
    factorial = grid(settings, in_order(key for key in keys if len({words.get(key) for words in settings}) > 1))
    seeds = sorted(set.intersection(*(set(delta_m.values) for _, delta_m in rows))) if rows else []
    if factorial is None or not seeds:
        return []
    factors, cells = factorial
    table = {cell: np.array([delta_m.values[s] for s in seeds]) for cell, (_, delta_m) in zip(cells, rows, strict=True)}
    pairs = list(combinations(factors, 2))
    found = []
    for family in (statistics.main_effects(table, factors), statistics.interactions(table, factors, pairs)):
        differences = []
        for factor, level, against, values in family:
            estimate = criteria.inference.estimate(dict(zip(seeds, values.tolist(), strict=True)))
            assert estimate is not None, "there are seeds"
            differences.append(Difference(factor, level, against, estimate))
        found += _adjusted(differences, criteria)
    return found


@dataclass(frozen=True)
class Difference:
    """A named difference that is not tested yet."""

    factor: str
    level: str
    against: str
    estimate: Estimate


def _adjusted(family: Sequence[Difference], criteria: Criteria) -> list[Effect]:
    """Tests each difference, with Holm's adjustment over all of them."""
    inference = criteria.inference
    values = [[*own.estimate.values.values()] for own in family]
    p = [inference.p(of_one)[2] for of_one in values]
    return [
        Effect(
            own.factor,
            own.level,
            own.against,
            own.estimate,
            alone,
            float(adjusted),
            inference.equivalent(of_one, criteria.margin),
        )
        for own, of_one, alone, adjusted in zip(family, values, p, statistics.holm(p), strict=True)
    ]


def main(found: Sequence[Effect]) -> list[Effect]:
    """The main effects of a factorial, without interactions."""
    return [effect for effect in found if "×" not in effect.factor]
