"""Counts the questions that a comparison of runs answers together, before a sweep trains and when it is compared.

Holm's adjustment over these questions decides how many seeds they need (`statistics.seeds_needed`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Words = Mapping[str, str]  # key -> value, as text
Levels = dict[str, list[str]]  # factor -> its levels


@dataclass(frozen=True)
class Asked:
    """The questions that Holm's adjustment counts together. noun, nouns: the name of one, and of several."""

    count: int
    noun: str
    nouns: str

    def __str__(self) -> str:
        return f"{self.count} {self.noun if self.count == 1 else self.nouns}"


def asked(contrasts: int = 0, main_effects: int = 0, gains: int = 0, rows: int = 0) -> Asked:
    """The questions that the runs were made for: the first of these kinds that they have.

    contrasts: differences between the arms of a plan
    main_effects: of a complete grid of settings, `grid`
    gains: of a task by another, from nets of two tasks beside nets of one
    rows: settings that are compared with the reference
    """
    kinds = (
        Asked(contrasts, "contrast of arms", "contrasts of arms"),
        Asked(main_effects, "main effect", "main effects"),
        Asked(gains, "gain of a task by another", "gains of a task by another"),
    )
    return next((kind for kind in kinds if kind.count), against_reference(rows))


def against_reference(rows: int) -> Asked:
    """The questions of the table: each of `rows` rows against the reference."""
    return Asked(rows, "setting against a reference", "settings against a reference")


def grid(settings: Sequence[Words], keys: Sequence[str]) -> tuple[Levels, list[tuple[str, ...]]] | None:
    """Factors with their levels, and the levels of each setting, if the settings are all combinations; else None.

    keys: the keys that vary, in order. A factor is a group with all its keys (chain, pass). If that gives no complete
    grid of two factors or more, each key is a factor.
    """
    return _grid(settings, keys, by_group=True) or _grid(settings, keys, by_group=False)


def _grid(
    settings: Sequence[Words], keys: Sequence[str], by_group: bool
) -> tuple[Levels, list[tuple[str, ...]]] | None:
    """`grid` with groups or with single keys as factors. If one key of a group varies, it names the factor."""
    groups: dict[str, list[str]] = {}
    for key in keys:
        groups.setdefault(key.split(".")[0] if by_group else key, []).append(key)
    factors = {members[0] if len(members) == 1 else group: members for group, members in groups.items()}
    cells = [tuple(_level(own, members, settings) for members in factors.values()) for own in settings]
    levels = {name: list(dict.fromkeys(cell[n] for cell in cells)) for n, name in enumerate(factors)}
    complete = len(set(cells)) == len(cells) == math.prod(map(len, levels.values()))
    return (levels, cells) if complete and len(levels) > 1 else None


def _level(own: Words, keys: Sequence[str], settings: Sequence[Words]) -> str:
    """The level of a setting: the value of one key; for several keys the option, then the values that vary with it."""
    first = own.get(keys[0], "none")
    if len(keys) == 1:
        return first
    peers = [words for words in settings if words.get(keys[0], "none") == first]
    varied = [k for k in keys[1:] if len({words.get(k) for words in peers}) > 1 and k in own]
    return ", ".join([first, *(_value(key, own[key]) for key in varied)])


def _value(key: str, value: str) -> str:
    """A word as it is; a number or list with the last part of its key."""
    return value if value.isidentifier() else f"{key.rpartition('.')[2]}={value}"
