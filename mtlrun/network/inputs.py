"""The encoder: scales numbers and encodes categories, with separate statistics for each run."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mtlrun.config.schema import ModelConfig
from mtlrun.data.columns import MISSING, InputColumn, InputSpec
from mtlrun.network.number_features import number_features, quartile_scale, smooth_clip_


class InputEncoder(nn.Module):
    """Scales numbers by each run's training rows, imputes their centre, and one-hot encodes categories.

    Buffers, from the training rows of each run: `mean`, and `inverse`, 1/std, 0 for a constant column, `[R, Dn]` both;
    `seen` `[R, W]`, 0 for a category or missing-indicator that no training row has. Its weights would never be
    trained, so it counts as unknown (all zeros).

    With `model.scaling=robust` the median takes the place of the mean and the factor of `quartile_scale` that of 1/std,
    and scaled numbers are clipped smoothly.

    Dn counts numbers: a date is several, its days and sine and cosine of its cycles (data/cycles.py).

    Output `[..., R, B, D]`, D = `width`: numbers, a missing-indicator for each numeric column with gaps in the table,
    one-hot categories, including one for "missing" if the table has gaps; then the features of `model.embedding`, for
    the numbers at `InputSpec.embeddable`. It includes hidden columns; the network sees those at `visible` `[D']` (None:
    all).

    imputes: numbers may be missing; otherwise the encoder does not look for them
    """

    mean: Tensor
    inverse: Tensor
    seen: Tensor
    visible: Tensor | None
    plain: Tensor | None

    def __init__(self, spec: InputSpec, runs: int, net: ModelConfig) -> None:
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
        self.imputes = bool(self.gaps)
        self.robust = net.scaling == "robust"
        self.embedding = number_features(spec.embeddable, runs, net)
        plain = numbers + len(self.gaps) + self.onehot
        self.width = plain + (0 if self.embedding is None else self.embedding.width)
        # float64: float32 would lose the differences of timestamps
        self.register_buffer("mean", torch.zeros(runs, numbers, dtype=torch.float64))
        self.register_buffer("inverse", torch.ones(runs, numbers, dtype=torch.float64))
        self.register_buffer("seen", torch.ones(runs, len(self.gaps) + self.onehot))
        self.masked = False
        self._of_column = self._layout(numeric, starts, category)
        shown = self.places([c.name for c in spec.inputs])
        whole = not spec.hidden
        visible = None if whole else torch.cat([shown, torch.arange(plain, self.width)])
        self.register_buffer("visible", visible, persistent=False)
        self.register_buffer("plain", None if whole and plain == self.width else shown, persistent=False)

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
        """Returns the places `[D]` of these columns in the output, in ascending order, without their embeddings."""
        return torch.tensor(sorted(place for name in columns for place in self._of_column[name]), dtype=torch.long)

    def reconstructed(self, columns: Sequence[str] | None) -> Tensor | None:
        """Returns the places `[D]` that a reconstruction of these columns predicts. None: all that are not hidden.

        Embeddings are not predicted. Returns None if it predicts the whole output.
        """
        return self.plain if columns is None else self.places(columns)

    def positions(self, codes: np.ndarray) -> np.ndarray:
        """Returns codes `[N, Dc]` as positions in the one-hot block; unknown ones point behind its end."""
        out = np.full(codes.shape, self.onehot, dtype=np.int64)
        for j in range(codes.shape[1]):
            known = codes[:, j] >= 0
            out[known, j] = self.offsets[j] + codes[known, j]
            if self.has_missing[j]:
                out[codes[:, j] == MISSING, j] = self.offsets[j] + self.sizes[j]
        return out

    def fit(self, numeric: np.ndarray, positions: np.ndarray, train: Sequence[np.ndarray]) -> None:
        """Sets the buffers from training rows: `train[r]` are the row numbers of run r."""
        first: dict[bytes, int] = {}  # runs with the same rows have the same statistics
        buffers = self.state_dict().values()
        for r, rows in enumerate(train):
            same = first.setdefault(hashlib.sha256(rows.tobytes()).digest(), r)
            if same < r:
                for buffer in buffers:
                    buffer[r] = buffer[same]
                continue
            values = numeric[rows].astype(np.float64, copy=False)  # a copy already
            seen_gaps = np.isnan(values[:, self.gaps]).any(0)
            if self.embedding is not None:
                self.embedding.fit(r, values)
            mean, inverse = _quartile_scales(values) if self.robust else _standard_scales(values, bool(self.gaps))
            self.mean[r], self.inverse[r] = torch.from_numpy(mean), torch.from_numpy(inverse)
            cells = np.bincount(positions[rows].ravel(), minlength=self.onehot + 1)[: self.onehot] > 0
            self.seen[r] = torch.from_numpy(np.concatenate([seen_gaps, cells]).astype(np.float32))
        self.refresh()

    def refresh(self) -> None:
        """Updates `masked` after buffers were loaded."""
        self.masked = bool((self.seen == 0).any())

    def forward(self, numeric: Tensor, positions: Tensor | None) -> Tensor:
        """numeric `[..., R, B, Dn]` float64 with NaN for missing, positions `[..., R, B, Dc]` → `[..., R, B, D]`."""
        x = (numeric - self.mean.unsqueeze(1)).mul_(self.inverse.unsqueeze(1)).float()
        if self.robust:
            x = smooth_clip_(x)
        missing = torch.isnan(x) if self.imputes else None
        parts = [x if missing is None else torch.where(missing, 0.0, x)]
        if missing is not None and self.gaps:
            parts.append(missing[..., self.gaps].to(x.dtype))
        if positions is not None:
            cells = x.new_zeros(*positions.shape[:-1], self.onehot + 1)
            parts.append(cells.scatter_(-1, positions, 1.0)[..., :-1])
        if self.embedding is not None:
            parts.append(self.embedding(numeric, missing))
        if len(parts) == 1:
            return parts[0]
        out = torch.cat(parts, -1)
        if self.masked:
            start = self.mean.shape[1]
            out[..., start : start + self.seen.shape[1]] *= self.seen.unsqueeze(1)
        return out


def _standard_scales(values: np.ndarray, gaps: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and 1/std `[Dn]` of numbers `[n, Dn]`. 0 in place of 1/std for a constant column. Overwrites gaps by 0."""
    count: np.ndarray | int = len(values)
    if gaps:
        present = ~np.isnan(values)
        count = np.maximum(present.sum(0), 1)
        values[~present] = 0
    mean = values.sum(0) / count
    deviations = values - mean
    if gaps:
        deviations[~present] = 0
    std = np.sqrt((deviations**2).sum(0) / count)
    varies = std > 1e-13 * np.abs(mean)  # a smaller std is rounding of a constant
    return mean, np.where(varies, 1 / np.where(varies, std, 1), 0)


def _quartile_scales(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`quartile_scale` of each column of numbers `[n, Dn]`."""
    scales = [quartile_scale(column[~np.isnan(column)]) for column in values.T]
    median, factor = np.array(scales, dtype=np.float64).reshape(-1, 2).T
    return median, factor
