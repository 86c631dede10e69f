"""Named differences, paired by seed: effects of rows that form a factorial, and contrasts between arms of a plan."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis.inference import LEVEL, paired_difference
from mtlrun.compare.analysis.setting_result import Criteria, SettingResult
from mtlrun.compare.collect.settings import Setting, in_order, number
from mtlrun.compare.records import Effect, Estimate
from mtlrun.compose.plans import Reading, reading_of
from mtlrun.compose.plans.reading import Word

Levels = dict[str, list[str]]


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
    settings = [setting for setting, _ in rows]
    factorial = _factorial(settings, by_group=True) or _factorial(settings, by_group=False)
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


def _factorial(settings: Sequence[Setting], by_group: bool) -> tuple[Levels, list[tuple[str, ...]]] | None:
    """Factors with their levels, and the levels of each row, if the rows are all combinations; else None.

    A factor is a key, or with `by_group` a group with all its varying keys. If one key of the group varies, it gives
    the name of the factor.
    """
    keys = dict.fromkeys(key for s in settings for key in s.words if key not in s.chosen)
    varied = in_order(key for key in keys if len({s.words.get(key) for s in settings}) > 1)
    groups: dict[str, list[str]] = {}
    for key in varied:
        groups.setdefault(key.split(".")[0] if by_group else key, []).append(key)
    factors = {members[0] if len(members) == 1 else group: members for group, members in groups.items()}
    cells = [tuple(_level(s, members, settings) for members in factors.values()) for s in settings]
    levels = {name: list(dict.fromkeys(cell[n] for cell in cells)) for n, name in enumerate(factors)}
    complete = len(set(cells)) == len(cells) == math.prod(map(len, levels.values()))
    return (levels, cells) if complete and len(levels) > 1 else None


def _level(setting: Setting, keys: Sequence[str], settings: Sequence[Setting]) -> str:
    """The level of a row: the value of one key; for several keys the option, then the values that vary with it."""
    first = setting.words.get(keys[0], "none")
    if len(keys) == 1:
        return first
    peers = [s for s in settings if s.words.get(keys[0], "none") == first]
    varied = [k for k in keys[1:] if len({s.words.get(k) for s in peers}) > 1 and k in setting.words]
    return ", ".join([first, *(_value(key, setting.words[key]) for key in varied)])


def _value(key: str, value: str) -> str:
    """Returns a word unchanged, and a number or list with the last part of its key before it."""
    return value if number(value) is None and value.isidentifier() else f"{key.rpartition('.')[2]}={value}"
