"""A table for model=point."""

from collections.abc import Callable

import numpy as np


def point() -> dict[str, np.ndarray]:
    """1,000 rows of one column, 0 and 1 by turns: what model=point, which reads no row, takes its batches from."""
    return {"x": np.arange(1000.0) % 2}


PROBLEMS: dict[str, Callable[[], dict[str, np.ndarray]]] = {"point": point}
