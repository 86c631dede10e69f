"""A table for model=point."""

import numpy as np


def point() -> dict[str, np.ndarray]:
    """1,000 rows of one column, 0 and 1 by turns: what model=point, which reads no row, takes its batches from."""
    return {"x": np.arange(1000.0) % 2}
