"""Differences with a name, paired by seed: rows that form a complete grid, read as a factorial, and arms of a plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis.inference import LEVEL, Inference
from mtlrun.compare.analysis.questions import less
from mtlrun.compare.collect.settings import Setting, in_order, number
from mtlrun.compare.records import Effect, Estimate
from mtlrun.compose.plans import Reading, reading_of
from mtlrun.compose.plans.reading import Word

Levels = dict[str, list[str]]


@dataclass(frozen=True)
class Contrasts:
    """The contrasts of a plan, each with the name that it has there; `words` fill the braces of names and answers."""

    reading: Reading
    effects: Sequence[Effect]
    names: Sequence[str]
    words: Mapping[str, str]

    @property
    def answer(self) -> str | None:
        """The plan's answer in a sentence. Rows of one arm that say different things leave their contrast undecided."""
        if self.reading.answer is None:
            return None
        every: dict[str, set[Word]] = {}
        for name, effect in zip(self.names, self.effects, strict=True):
            every.setdefault(name, set()).add(word(effect))
        found = {name: next(iter(own)) if len(own) == 1 else "undecided" for name, own in every.items()}
        return self.reading.answer(found).format(**self.words)


def word(effect: Effect) -> Word:
    """What a contrast of arms comes to."""
    if effect.p_holm <= LEVEL and effect.estimate.mean != 0:
        return "gain" if effect.estimate.mean > 0 else "loss"
    return "none" if effect.equivalent else "undecided"


def contrasts(
    settings: Sequence[Setting], per_task: Sequence[Estimate | None], inference: Inference, margin: float
) -> Contrasts | None:
    """The contrasts of the plan whose arms the rows are, with Holm's adjustment over them; None where there are none.

    An arm with several rows has as many contrasts.
    """

    rows: dict[str, list[int]] = {}
    for i, setting in enumerate(settings):
        if setting.arm is not None and per_task[i] is not None:
            rows.setdefault(setting.arm, []).append(i)
    reading, found = reading_of(rows)
    pairs = [(own, i, j) for own in found for i in rows[own.level] for j in rows[own.against]]
    known = [(*pair, d) for pair in pairs if (d := inference.estimate(less(per_task[pair[1]], per_task[pair[2]])))]
    p = [inference.p([*own[3].values.values()])[2] for own in known]
    effects = []
    for (own, i, j, estimate), alone, adjusted in zip(known, p, statistics.holm(p), strict=True):
        within = inference.equivalent([*estimate.values.values()], margin)
        labels = settings[i].label, settings[j].label
        effects.append(Effect(own.name, *labels, estimate, alone, float(adjusted), within))
    words = {key: value for own, *_ in known for key, value in own.words.items()}
    return Contrasts(reading, effects, [own.contrast.name for own, *_ in known], words) if effects else None


def effects(
    settings: Sequence[Setting],
    per_task: Sequence[Estimate | None],
    reference: int,
    inference: Inference,
    margin: float,
) -> list[Effect]:
    """Contrasts of Δm between the levels of each factor, against the reference's level where it is one of the rows.

    A factor is a group with all its keys that vary (chain, pass), or where that leaves a single factor a key.
    None where fewer than two vary, or where their combinations are not all there. Main effects are what is asked, and
    interactions what else is to be known: Holm over each of the two.
    """
    rows = [i for i, s in enumerate(settings) if s.kind == "method" and per_task[i] is not None]
    if reference in rows:
        rows = [reference, *(i for i in rows if i != reference)]  # its levels come first
    found = next((grid for whole in (True, False) if (grid := _grid([settings[i] for i in rows], whole))), None)
    if found is None:
        return []
    factors, cells = found
    estimates = [own for i in rows if (own := per_task[i]) is not None]
    seeds = sorted(set.intersection(*(set(own.values) for own in estimates)))
    if not seeds:
        return []
    table = {cell: np.array([own.values[s] for s in seeds]) for cell, own in zip(cells, estimates, strict=True)}
    effects = []
    pairs = list(combinations(factors, 2))
    for family in (statistics.main_effects(table, factors), statistics.interactions(table, factors, pairs)):
        p = [inference.p(contrast.values.tolist())[2] for contrast in family]
        for (factor, level, against, values), alone, adjusted in zip(family, p, statistics.holm(p), strict=True):
            estimate = inference.estimate(dict(zip(seeds, values.tolist(), strict=True)))
            assert estimate is not None, "there are seeds"
            within = inference.equivalent(values.tolist(), margin)
            effects.append(Effect(factor, level, against, estimate, alone, float(adjusted), within))
    return effects


def main(found: Sequence[Effect]) -> list[Effect]:
    """Those of a factorial that are no interactions."""
    return [effect for effect in found if "×" not in effect.factor]


def _grid(settings: Sequence[Setting], whole: bool) -> tuple[Levels, list[tuple[str, ...]]] | None:
    """Factors with their levels, and each row's levels, if the rows are all combinations; None if they are not.

    A factor is a key, or with `whole` a group with all its keys, which is named by the key where one varies.
    """
    keys = dict.fromkeys(k for s in settings for k in s.words if k not in s.chosen)
    keys = {k: None for k in keys if len({s.words.get(k) for s in settings}) > 1}
    names: dict[str, list[str]] = {}
    for key in in_order(keys):
        names.setdefault(key.split(".")[0] if whole else key, []).append(key)
    names = {own[0] if len(own) == 1 else name: own for name, own in names.items()}
    cells = [tuple(_level(s, own, settings) for own in names.values()) for s in settings]
    levels = {name: list(dict.fromkeys(cell[n] for cell in cells)) for n, name in enumerate(names)}
    complete = len(set(cells)) == len(cells) == np.prod([len(own) for own in levels.values()])
    return (levels, cells) if complete and len(levels) > 1 else None


def _level(setting: Setting, keys: Sequence[str], settings: Sequence[Setting]) -> str:
    """The value of one key; of several the group's option first, then what rows with this option differ in."""
    first = setting.words.get(keys[0], "none")
    if len(keys) == 1:
        return first
    peers = [s for s in settings if s.words.get(keys[0], "none") == first]
    varied = [k for k in keys[1:] if len({s.words.get(k) for s in peers}) > 1 and k in setting.words]
    return ", ".join([first, *(_value(key, setting.words[key]) for key in varied)])


def _value(key: str, value: str) -> str:
    """A word for itself; of numbers and lists, the last part of their key too."""
    return value if number(value) is None and value.isidentifier() else f"{key.rpartition('.')[2]}={value}"
