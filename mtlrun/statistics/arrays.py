"""The arrays that the statistics accept: at least one number, all finite. The caller drops and reports missing ones."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def finite(values: ArrayLike, dimensions: int | None = None) -> Floats:
    """The values as float64. ValueError: no values, a value that is not finite, or the wrong number of axes."""
    array = np.asarray(values, dtype=np.float64)
    if dimensions is not None and array.ndim != dimensions:
        raise ValueError(f"{array.ndim} axes where {dimensions} are due")
    if not array.size or not np.isfinite(array).all():
        raise ValueError("no values" if not array.size else "a value that is not finite")
    return array
