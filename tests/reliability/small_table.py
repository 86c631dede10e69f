"""A small table with three tasks, of which labels and cells are missing."""

import numpy as np
import pandas as pd

YAML = """\
# @package _global_
data: {path: houses.csv}
tasks:
  price: {type: regression}
  sold: {type: binary}
  kind: {type: categorical}
"""


def houses() -> pd.DataFrame:
    """The table."""
    rng = np.random.default_rng(0)
    area, age = rng.uniform(20, 200, 160), rng.uniform(0, 100, 160)
    return pd.DataFrame(
        {
            "area": np.where(rng.random(160) < 0.1, np.nan, area),
            "age": age,
            "city": rng.choice(["Ulm", "Bonn"], 160),
            "price": np.where(rng.random(160) < 0.2, np.nan, 3 * area - age + rng.normal(0, 9, 160)),
            "sold": rng.random(160) < age / 100,
            "kind": rng.choice(["flat", "house", None], 160),
        }
    )
