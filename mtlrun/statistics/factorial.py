"""A complete grid of settings read as a factorial: contrasts of levels instead of as many rows as the grid has cells.

Every contrast is one figure per seed, so that interval and test are those of any paired difference.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from mtlrun.statistics.arrays import Floats, finite

Table = Mapping[tuple[str, ...], Floats]
Factors = Mapping[str, Sequence[str]]


class Contrast(NamedTuple):
    """`level` against `against` of `factor`, per seed: `values` `[n]`. Interactions join names with ` × `."""

    factor: str
    level: str
    against: str
    values: Floats


def main_effects(table: Table, factors: Factors) -> list[Contrast]:
    """Each level against its factor's first, per seed, averaged over all levels of the other factors.

    table: Δm by seed `[n]` under each combination of levels, in the order of `factors` (name -> levels).

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
    """How much more a level of one factor changes at another's level than at its first, per seed, for each pair.

    (y_ab − y_a₀b) − (y_ab₀ − y_a₀b₀), a₀ and b₀ the first levels, averaged over the remaining factors.

    ValueError: as `main_effects`; a pair that is not of two of the factors.
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
    """[levels of the first factor, of the second, ..., n]."""
    keys = list(product(*factors.values()))
    if set(keys) != set(table) or len(set(keys)) != len(keys) or not keys or not factors:
        raise ValueError(f"a grid of {' × '.join(str(len(levels)) for levels in factors.values())} is not complete")
    cells = [finite(table[key], 1) for key in keys]
    if len({len(cell) for cell in cells}) > 1:
        raise ValueError("cells of unequal numbers of seeds")
    return np.stack(cells).reshape(*(len(levels) for levels in factors.values()), -1)
