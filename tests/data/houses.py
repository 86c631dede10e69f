"""A small table with columns of every kind, and the configurations that the tests of the data read it with."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtlrun.config.check import check
from mtlrun.config.schema import Config
from mtlrun.data.dataset import load_dataset
from mtlrun.util.errors import RequestError

NAMES = {"sharing": "hard", "graph": "none", "loss": "sum", "lr": "single"}
ROWS = 60
TASKS: dict[str, Any] = {"price": {}, "kind": {}, "sold": {"where": "listed == 1"}}


def config(tasks: dict[str, Any], seed: int = 0, only: list[str] | None = None, **data: Any) -> Config:
    model = {"name": "mlp", "hidden": [4], "head_hidden": [4]}
    names = {g: {"name": n} for g, n in NAMES.items()}
    tree = {"seed": seed, "tasks": tasks, "only": only, "data": data, "model": model, "optimizer": {"name": "adam"}}
    return check({**tree, **names})


def houses() -> pd.DataFrame:
    n = np.arange(ROWS)
    return pd.DataFrame(
        {
            "area": 50.0 + n,
            "when": 1.7e9 + n,
            "city": np.where(n % 3 == 0, "Ulm", "Bonn"),
            "room_a": np.where(n % 7 == 0, np.nan, n % 5),
            "room_b": 1,
            "price": 1e5 * (1 + n % 13),
            "kind": np.array(["flat", "house", "villa"])[n % 3],
            "sold": n % 2,
            "listed": (n < 40).astype(int),
            "w": 0.5 + n % 2,
            "site": n // 5,
        }
    )


def save(frame: pd.DataFrame, folder: Path) -> str:
    frame.to_csv(folder / "t.csv", index=False)
    return str(folder / "t.csv")


def refused(folder: Path, tasks: dict[str, Any], data: dict[str, Any]) -> str:
    """The message of the RequestError that these settings meet with a table full of flaws."""
    frame = houses().assign(bad=1.5, none=None, minus=0.5, late=None, same=0, part="train")
    frame.loc[3, "bad"], frame.loc[5, "minus"] = np.inf, -1
    frame.loc[20:39, "part"], frame.loc[40:, "part"] = "val", "test"
    frame["late"] = [None] * 40 + [0.0, 1.0] * 10
    frame.loc[40:, "same"] = 1
    with pytest.raises(RequestError) as error:
        load_dataset(config(tasks, path=save(frame, folder), **({"inputs": ["area"]} | data)))
    assert str(error.value).count("\n") == 1
    return str(error.value)
