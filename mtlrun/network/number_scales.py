"""How numbers are scaled: by mean and standard deviation, or by quartiles with smooth clipping."""

from collections.abc import Iterable, Iterator

import numpy as np
from torch import Tensor

from mtlrun.tasks.base import OnnxGraph

CLIP = 3.0  # robustly scaled numbers stay between -3 and 3
CLIPPED = 1e5  # float32 has no number between 3 and the clipped value of a larger one
CACHED = 1 << 15  # numbers that stay in the cache together


def standard_scales(numeric: np.ndarray, rows: np.ndarray, gaps: bool) -> tuple[np.ndarray, np.ndarray]:
    """The mean and 1/std `[Dn]` of the present cells in some rows of `numeric` `[N, Dn]`; 0 if the std is 0."""

    def filled(values: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(values), 0.0, values) if gaps else values

    count: np.ndarray | int = len(rows)
    if gaps:
        present = _reduced(np.add, (~np.isnan(values) for values in _parts(numeric, rows)))
        count = np.maximum(present, 1)
    mean = _reduced(np.add, map(filled, _parts(numeric, rows))) / count
    squares = _reduced(np.add, (filled(values - mean) ** 2 for values in _parts(numeric, rows)))
    std = np.sqrt(squares / count)
    varies = std > 1e-13 * np.abs(mean)  # a smaller std is rounding of a constant
    return mean, np.where(varies, 1 / np.where(varies, std, 1), 0)


def quartile_scales(numeric: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The median and the factor `[Dn]`, see `quartile_scale`, of the present cells in some rows of `numeric`."""
    scales = [quartile_scale(known_numbers(numeric, rows, number)) for number in range(numeric.shape[1])]
    median, factor = np.array(scales, dtype=np.float64).reshape(-1, 2).T
    return median, factor


def quartile_scale(values: np.ndarray) -> tuple[float, float]:
    """The median and the factor of a number: (x − median) · factor is the robustly scaled number. values: known, [n].

    The factor is 1 / (q75 − q25). Where the quartiles agree it is 2 / (max − min), and 0 for a constant. This is
    RealMLP's scaling (Holzmüller, Grinsztajn & Steinwart 2024, Better by default, section 3).
    """
    if not len(values):
        return 0.0, 0.0
    least, low, median, high, most = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist()
    rounding = max(1e-13 * max(abs(low), abs(high)), float(np.finfo(np.float64).tiny))
    if high - low > rounding:
        return median, 1 / (high - low)
    return median, 2 / (most - least) if most - least > rounding else 0.0


def known_numbers(numeric: np.ndarray, rows: np.ndarray, number: int) -> np.ndarray:
    """The present cells `[n]`, float64, of a number in some rows of `numeric` `[N, Dn]`."""
    values = numeric[rows, number].astype(np.float64, copy=False)
    return np.asarray(values[~np.isnan(values)])


def ranges(numeric: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest number of each column in some rows, `[Dn]` both; NaN without a number."""
    if not len(rows):
        return (np.full(numeric.shape[1], np.nan),) * 2
    return _reduced(np.fmin, _parts(numeric, rows)), _reduced(np.fmax, _parts(numeric, rows))


def smooth_clip_(x: Tensor) -> Tensor:
    """Replaces x by x / √(1 + (x / 3)²), which lies between −3 and 3 (RealMLP, Holzmüller et al. 2024). Keeps NaN."""
    x.clamp_(-CLIPPED, CLIPPED)
    return x.mul_(x.square().mul_(1 / CLIP**2).add_(1).rsqrt_())


def smoothly_clipped(graph: OnnxGraph, x: str) -> str:
    """Adds `smooth_clip_` to an ONNX graph. Returns the name of the result."""
    x = graph.add("Clip", x, graph.constant(-CLIPPED, np.float32), graph.constant(CLIPPED, np.float32))
    square = graph.add("Mul", x, graph.add("Mul", x, graph.constant(1 / CLIP**2, np.float32)))
    return graph.add("Div", x, graph.add("Sqrt", graph.add("Add", square, graph.constant(1, np.float32))))


def _parts(numeric: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yields `numeric[rows]` as float64, in parts that stay in the cache.

    A single column is one part: NumPy adds it up in pairs, and several columns row by row.
    """
    columns = numeric.shape[1]
    size = len(rows) if columns == 1 else max(1, CACHED // max(1, columns))
    for start in range(0, len(rows), size):
        yield numeric[rows[start : start + size]].astype(np.float64, copy=False)


def _reduced(function: np.ufunc, parts: Iterable[np.ndarray]) -> np.ndarray:
    """`function.reduce` `[D]` of the rows of all parts `[n, D]`. It is that of the whole, to the last bit."""
    total: np.ndarray | None = None  # [1, D]
    for part in parts:
        total = function.reduce(part if total is None else np.concatenate([total, part]), keepdims=True)
    assert total is not None, "there are rows"
    return total[0]
