"""Main effects and interactions of a complete grid of settings (a factorial design).

A few contrasts of levels replace a row for every cell of the grid. Every contrast is one figure per seed, so the
interval and the test of paired differences apply to it.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from mtlrun.statistics.arrays import Floats, finite

Table = Mapping[tuple[str, ...], Floats]
Factors = Mapping[str, Sequence[str]]


class Contrast(NamedTuple):
    """Difference of `factor` at `level` minus at `against`: `values` `[n]`, one per seed.

    An interaction joins two names with ` × ` in `factor`, `level` and `against`.
    """

    factor: str
    level: str
    against: str
    values: Floats


def main_effects(table: Table, factors: Factors) -> list[Contrast]:
    """Each level minus the first level of its factor, per seed, averaged over all levels of the other factors.

    factors: name -> levels. table: Δm per seed `[n]` for each combination of levels, in the order of `factors`.

    ValueError: the grid is not complete, or its cells differ in their number of seeds.
    """
    cells = _grid(table, factors)
    contrasts = []
    for axis, (name, levels) in enumerate(factors.items()):
        others = tuple(a for a in range(len(factors)) if a != axis)
        means = cells.mean(axis=others)  # [levels, n]
        contrasts += [Contrast(name, levels[i], levels[0], means[i] - means[0]) for i in range(1, len(levels))]
    return contrasts


def interactions(table: Table, factors: Factors, pairs: Sequence[tuple[str, str]]) -> list[Contrast]:
    """The effect of a level of one factor at a level of another, minus its effect at the other's first level.

    (y_ab − y_a₀b) − (y_ab₀ − y_a₀b₀) per seed, for each pair of factors in `pairs`. a₀ and b₀ are the first levels; y
    is averaged over the remaining factors.

    ValueError: as `main_effects`, or a pair that does not name two of the factors.
    """
    cells = _grid(table, factors)
    names = list(factors)
    contrasts = []
    for one, two in pairs:
        if one == two or one not in factors or two not in factors:
            raise ValueError(f"{one} × {two}: two of {', '.join(names)} are due")
        axes = names.index(one), names.index(two)
        means = np.moveaxis(cells, axes, (0, 1))  # [levels, levels, ..., n]
        means = means.mean(axis=tuple(range(2, means.ndim - 1)))
        for i, j in product(range(1, len(factors[one])), range(1, len(factors[two]))):
            level = f"{factors[one][i]} × {factors[two][j]}"
            against = f"{factors[one][0]} × {factors[two][0]}"
            values = means[i, j] - means[0, j] - means[i, 0] + means[0, 0]
            contrasts.append(Contrast(f"{one} × {two}", level, against, values))
    return contrasts


def _grid(table: Table, factors: Factors) -> Floats:
    """The cells as an array [levels of the first factor, levels of the second, ..., n]."""
    keys = list(product(*factors.values()))
    if set(keys) != set(table) or len(set(keys)) != len(keys) or not keys or not factors:
        raise ValueError(f"a grid of {' × '.join(str(len(levels)) for levels in factors.values())} is not complete")
    cells = [finite(table[key], 1) for key in keys]
    if len({len(cell) for cell in cells}) > 1:
        raise ValueError("cells of unequal numbers of seeds")
    return np.stack(cells).reshape(*(len(levels) for levels in factors.values()), -1)
