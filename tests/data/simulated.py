"""A table of random numbers with three tasks, of which `mtlrun check` has nothing to warn."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtlrun.config.check import check
from mtlrun.config.schema import Config

NAMES = {"sharing": "hard", "graph": "none", "loss": "sum", "lr": "single"}
N = 600
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=N)
LABEL = (X + RANDOM.normal(size=N) > 0).astype(int)
VALUE = X + RANDOM.normal(size=N)
BASE = pd.DataFrame({"x": X, "age": RANDOM.integers(18, 90, N), "label": LABEL, "value": VALUE})
BASE["grade"] = np.array(["a", "b", "c"])[RANDOM.integers(0, 3, N)]


def config(path: Path | str, tasks: dict[str, Any] | None = None, **data: Any) -> Config:
    model = {"name": "mlp", "hidden": [4], "head_hidden": [4]}
    names = {g: {"name": n} for g, n in NAMES.items()}
    tasks = tasks or {"label": {"type": "binary"}, "value": {"type": "regression"}, "grade": {}}
    return check(
        {"tasks": tasks, "data": {"path": str(path), **data}, "model": model, "optimizer": {"name": "adam"}, **names}
    )


def save(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_parquet(folder / "t.parquet")
    return folder / "t.parquet"
