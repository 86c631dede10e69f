"""A table for model=point."""

import numpy as np


def point() -> dict[str, np.ndarray]:
    """One column with 0 and 1 in turn; 1,000 rows. model=point needs rows for its batches but does not read them."""
    return {"x": np.arange(1000.0) % 2}
