"""The encoder: standardises numbers and encodes categories, with separate statistics for each run."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mtlrun.data.columns import InputColumn, InputSpec

CACHED = 1 << 15  # numbers that stay in the cache together


class InputEncoder(nn.Module):
    """Standardises numbers by each run's training rows, imputes the mean, and one-hot encodes categories.

    Buffers, from the training rows of each run: `mean`; `inverse`, 1/std, 0 for a constant column, `[R, Dn]` both;
    `seen` `[R, W]`, 0 for a category or missing-indicator that no training row has. Its weights would never be
    trained, so it counts as unknown (all zeros).

    Dn counts numbers: a date is several, its days and sine and cosine of its cycles (data/cycles.py).

    Output `[..., R, B, D]`, D = `width`: numbers, a missing-indicator for each numeric column with gaps in the table,
    one-hot categories, including one for "missing" if the table has gaps. It includes hidden columns; the network sees
    those at `visible` `[D']` (None: all).
    """

    mean: Tensor
    inverse: Tensor
    seen: Tensor
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
        self.register_buffer("seen", torch.ones(runs, len(self.gaps) + self.onehot))
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

    def fit(self, numeric: np.ndarray, positions: np.ndarray, train: Sequence[np.ndarray]) -> None:
        """Sets the buffers from training rows: `train[r]` are the row numbers of run r."""
        for r, rows in enumerate(train):
            mean, std, seen_gaps = self._statistics(numeric, rows)
            self.mean[r] = torch.from_numpy(mean)
            varies = std > 1e-13 * np.abs(mean)  # a smaller std is rounding of a constant
            self.inverse[r] = torch.from_numpy(np.where(varies, 1 / np.where(varies, std, 1), 0))
            cells = np.bincount(positions[rows].ravel(), minlength=self.onehot + 1)[: self.onehot] > 0
            self.seen[r] = torch.from_numpy(np.concatenate([seen_gaps, cells]).astype(np.float32))
        self.refresh()

    def _statistics(self, numeric: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns mean and standard deviation `[Dn]` in some rows, and whether each column with gaps has one there."""
        count: np.ndarray | int = len(rows)
        gaps = np.empty(0, dtype=bool)
        if self.gaps:
            present = _sums(numeric, rows, lambda values: ~np.isnan(values))
            gaps = present[self.gaps] < len(rows)
            count = np.maximum(present, 1)
        mean = _sums(numeric, rows, self._filled) / count
        squares = _sums(numeric, rows, lambda values: self._filled(values - mean) ** 2)
        return mean, np.sqrt(squares / count), gaps

    def _filled(self, values: np.ndarray) -> np.ndarray:
        """Returns numbers with 0 for missing ones."""
        return np.where(np.isnan(values), 0.0, values) if self.gaps else values

    def refresh(self) -> None:
        """Updates `masked` after buffers were loaded."""
        self.masked = bool((self.seen == 0).any())

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
            out[..., start:] *= self.seen.unsqueeze(1)
        return out


def _sums(numeric: np.ndarray, rows: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Returns the sums `[Dn]` of `function(numeric[rows])` over the rows.

    It takes the rows in parts that stay in the cache. The result is that of the whole, to the last bit: NumPy adds the
    rows one after the other. A single column it adds in pairs, so that is not divided.
    """
    columns = numeric.shape[1]
    size = len(rows) if columns == 1 else max(1, CACHED // max(1, columns))
    total: np.ndarray | None = None  # [1, Dn]
    for start in range(0, len(rows), size):
        part = function(numeric[rows[start : start + size]].astype(np.float64, copy=False))
        total = (part if total is None else np.concatenate([total, part])).sum(0, keepdims=True)
    assert total is not None, "there are training rows"
    return total[0]
