"""What a generated table is, and the table of houses that most kinds change."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

Random = np.random.Generator


@dataclass(frozen=True)
class Made:
    """A table with its tasks (name -> type) and further settings of `data`."""

    frame: pd.DataFrame
    tasks: dict[str, str]
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """A kind of tables. leaks: the beginnings of warnings that find the leak; empty if the table has none."""

    name: str
    make: Callable[[Random], Made]
    leaks: tuple[str, ...] = ()


class Kinds(list[Kind]):
    """A list of kinds. Its methods are decorators that add a function as a kind."""

    def leaky(self, name: str, *leaks: str) -> Callable[[Callable[[Random], Made]], Callable[[Random], Made]]:
        def add(make: Callable[[Random], Made]) -> Callable[[Random], Made]:
            self.append(Kind(name, make, leaks))
            return make

        return add

    def clean(self, name: str) -> Callable[[Callable[[Random], Made]], Callable[[Random], Made]]:
        return self.leaky(name)


TASKS = {"price": "regression", "sold": "binary", "style": "categorical"}


def houses(random: Random, rows: int = 1500) -> pd.DataFrame:
    """A clean table: price has an R² near .8 given the inputs, sold and style depend on them a little."""
    area = random.lognormal(4.6, 0.4, rows).round(1)
    rooms = np.clip(random.poisson(area / 30), 1, 12)
    age = random.integers(0, 120, rows)
    distance = random.gamma(2.0, 5.0, rows).round(2)
    floor = random.choice(["ground", "first", "second", "top"], rows, p=[0.4, 0.3, 0.2, 0.1])
    price = 900 * area**0.9 * np.exp(-0.02 * distance - 0.003 * age + 0.2 * random.normal(size=rows))
    chance = 1 / (1 + np.exp(-(0.5 + 0.04 * (40 - age) + 0.5 * random.normal(size=rows))))
    style = np.argmax(random.gumbel(size=(rows, 3)) + np.stack([age / 40, rooms / 2, 0 * age], 1), 1)
    return pd.DataFrame(
        {
            "area": area,
            "rooms": rooms,
            "age": age,
            "distance": distance,
            "floor": floor,
            "price": price.round(0),
            "sold": np.where(random.random(rows) < chance, "yes", "no"),
            "style": np.array(["cottage", "villa", "block"])[style],
        }
    )
