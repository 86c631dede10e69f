"""The encoder: standardises numbers and encodes categories, with separate statistics for each run."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mtlrun.data.columns import InputColumn, InputSpec

CACHED = 1 << 15  # numbers that stay in the cache together
CYCLE_RANGE = 1e-9  # a smaller range of a sine or cosine is rounding: of the days of the week, if all are Mondays


class InputEncoder(nn.Module):
    """Standardises numbers by each run's training rows, imputes the mean, and one-hot encodes categories.

    An input that is the same in all training rows is 0 in every row, because its weights would only learn a constant,
    and another value would move the outputs by what no row has taught.

    Buffers, from the training rows of each run: `mean`; `inverse`, 1/std, 0 for a constant, `[R, Dn]` both; `low` and
    `high` `[R, Dn]`, the range: NaN without a value, infinite if an older version has not stored it; `seen` `[R, W]`, 0
    for a category or missing-indicator that no training row has; `varies` `[R, W]`, 0 for one that all training rows
    have or none.

    Dn counts numbers: a date is several, its days and sine and cosine of its cycles (data/cycles.py).

    Output `[..., R, B, D]`, D = `width`: numbers, a missing-indicator for each numeric column with gaps in the table,
    one-hot categories, including one for "missing" if the table has gaps. It includes hidden columns; the network sees
    those at `visible` `[D']` (None: all).
    """

    mean: Tensor
    inverse: Tensor
    low: Tensor
    high: Tensor
    seen: Tensor
    varies: Tensor
    visible: Tensor | None

    def __init__(self, spec: InputSpec, runs: int) -> None:
        super().__init__()
        numeric = [c for c in spec.columns if c.kind == "numeric"]
        category = [c for c in spec.columns if c.kind == "category"]
        starts = [place.start for place in spec.places]
        numbers = sum(c.count for c in numeric)
        self.gaps = [start for start, c in zip(starts, numeric, strict=True) if c.missing]
        widths = [len(c.categories) + c.missing for c in category]
        self.offsets = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
        self.sizes = [len(c.categories) for c in category]
        self.has_missing = [c.missing for c in category]
        self.onehot = int(self.offsets[-1])
        self.width = numbers + len(self.gaps) + self.onehot
        # float64: float32 would lose the differences of timestamps
        self.register_buffer("mean", torch.zeros(runs, numbers, dtype=torch.float64))
        self.register_buffer("inverse", torch.ones(runs, numbers, dtype=torch.float64))
        self.register_buffer("low", torch.full((runs, numbers), -math.inf, dtype=torch.float64))
        self.register_buffer("high", torch.full((runs, numbers), math.inf, dtype=torch.float64))
        self.register_buffer("seen", torch.ones(runs, len(self.gaps) + self.onehot))
        self.register_buffer("varies", torch.ones(runs, len(self.gaps) + self.onehot))
        self.least = np.full(numbers, CYCLE_RANGE)  # the least range of a number that is no constant
        self.least[starts] = 0
        self.masked = False
        self._of_column = self._layout(numeric, starts, category)
        visible = self.places([c.name for c in spec.inputs]) if spec.hidden else None
        self.register_buffer("visible", visible, persistent=False)

    def _layout(
        self, numeric: list[InputColumn], starts: list[int], category: list[InputColumn]
    ) -> dict[str, list[int]]:
        """Returns the places of each column in the output."""
        places = {c.name: [start + i for i in range(c.count)] for start, c in zip(starts, numeric, strict=True)}
        numbers = self.mean.shape[1]
        for i, column in enumerate(c for c in numeric if c.missing):
            places[column.name].append(numbers + i)
        start = numbers + len(self.gaps)
        for j, c in enumerate(category):
            places[c.name] = list(range(start + int(self.offsets[j]), start + int(self.offsets[j + 1])))
        return places

    def shown(self, x: Tensor) -> Tensor:
        """Returns the part `[..., D']` of the output `[..., D]` that the network sees: without hidden columns."""
        return x if self.visible is None else x.index_select(-1, self.visible)

    def places(self, columns: Sequence[str]) -> Tensor:
        """Returns the places `[D]` of these columns in the output, in ascending order."""
        return torch.tensor(sorted(place for name in columns for place in self._of_column[name]), dtype=torch.long)

    def positions(self, codes: np.ndarray) -> np.ndarray:
        """Returns codes `[N, Dc]` as positions in the one-hot block; unknown ones point behind its end."""
        out = np.empty(codes.shape, dtype=np.int64)
        for j, (offset, size) in enumerate(zip(self.offsets, self.sizes, strict=False)):
            missing = offset + size if self.has_missing[j] else self.onehot
            places = [*range(offset, offset + size), missing, self.onehot]  # MISSING is -2, UNKNOWN is -1
            out[:, j] = np.array(places)[codes[:, j]]
        return out

    def fit(
        self,
        numeric: np.ndarray,
        positions: np.ndarray,
        train: Sequence[np.ndarray],
        learnt: Sequence[np.ndarray] | None = None,
    ) -> None:
        """Sets the buffers from training rows: `train[r]` are the row numbers of run r.

        learnt: those of them that the run learns from, as others have no label; None: all. An input must vary in them.
        """
        for r, rows in enumerate(train):
            mean, std = self._mean_and_std(numeric, rows)
            self.mean[r] = torch.from_numpy(mean)
            taught = rows if learnt is None else learnt[r]
            low, high = _range(numeric, taught)
            # a smaller std or range is rounding of a constant
            varies = (std > 1e-13 * np.abs(mean)) & (high - low > self.least)
            self.inverse[r] = torch.from_numpy(np.where(varies, 1 / np.where(varies, std, 1), 0))
            self.low[r], self.high[r] = torch.from_numpy(low), torch.from_numpy(high)
            gaps = np.isnan(numeric[np.ix_(taught, self.gaps)]).sum(0)
            words = np.bincount(positions[taught].ravel(), minlength=self.onehot + 1)[: self.onehot]
            times = torch.from_numpy(np.concatenate([gaps, words]))
            self.seen[r], self.varies[r] = times > 0, (times > 0) & (times < len(taught))
        self.refresh()

    def _mean_and_std(self, numeric: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the mean and the standard deviation `[Dn]` of the present cells in some rows."""
        count: np.ndarray | int = len(rows)
        if self.gaps:
            present = _reduced(np.add, (~np.isnan(values) for values in _parts(numeric, rows)))
            count = np.maximum(present, 1)
        mean = _reduced(np.add, map(self._filled, _parts(numeric, rows))) / count
        squares = _reduced(np.add, (self._filled(values - mean) ** 2 for values in _parts(numeric, rows)))
        return mean, np.sqrt(squares / count)

    def _filled(self, values: np.ndarray) -> np.ndarray:
        """Returns numbers with 0 for missing ones."""
        return np.where(np.isnan(values), 0.0, values) if self.gaps else values

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        own = {name.removeprefix(prefix): v for name, v in state_dict.items() if name.startswith(prefix)}
        unknown = {"low": torch.full_like(self.low, -math.inf), "high": torch.full_like(self.high, math.inf)}
        state_dict |= {prefix + name: value for name, value in (unknown | completed(own)).items()}
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def refresh(self) -> None:
        """Updates `masked` after buffers were loaded."""
        self.masked = bool((self.varies == 0).any())

    def forward(self, numeric: Tensor, positions: Tensor | None) -> Tensor:
        """numeric `[..., R, B, Dn]` float64 with NaN for missing, positions `[..., R, B, Dc]` → `[..., R, B, D]`."""
        x = (numeric - self.mean.unsqueeze(1)).mul_(self.inverse.unsqueeze(1)).float()
        parts = [x]
        if self.gaps:
            missing = torch.isnan(x)
            parts = [torch.where(missing, 0.0, x), missing[..., self.gaps].to(x.dtype)]
        if positions is not None:
            cells = x.new_zeros(*positions.shape[:-1], self.onehot + 1)
            parts.append(cells.scatter_(-1, positions, 1.0)[..., :-1])
        if len(parts) == 1:
            return x
        out = torch.cat(parts, -1)
        if self.masked:
            start = self.mean.shape[1]
            out[..., start:] *= self.varies.unsqueeze(1)
        return out


def completed(buffers: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The buffers of an encoder; in those of an older version, all inputs that were `seen` are used."""
    return {"varies": buffers["seen"], **buffers} if "seen" in buffers else dict(buffers)


def _range(numeric: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest number of each column in some rows, `[Dn]` both; NaN without a number."""
    if not len(rows):
        return (np.full(numeric.shape[1], np.nan),) * 2
    return _reduced(np.fmin, _parts(numeric, rows)), _reduced(np.fmax, _parts(numeric, rows))


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
