"""The encoder: scales numbers and encodes categories, with separate statistics for each run."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mtlrun.config.schema import ModelConfig
from mtlrun.data.columns import InputColumn, InputSpec
from mtlrun.network.number_features import number_features
from mtlrun.network.number_scales import quartile_scales, ranges, smooth_clip_, standard_scales

CYCLE_RANGE = 1e-9  # a smaller range of a sine or cosine is rounding: of the days of the week, if all are Mondays


class InputEncoder(nn.Module):
    """Scales numbers by each run's training rows, imputes their centre, and one-hot encodes categories.

    An input that is the same in all training rows is 0 in every row, because its weights would only learn a constant,
    and another value would move the outputs by what no row has taught.

    Buffers, from the training rows of each run: `mean`; `inverse`, 1/std, 0 for a constant, `[R, Dn]` both; `low` and
    `high` `[R, Dn]`, the range: NaN without a value, infinite if an older version has not stored it; `seen` `[R, W]`, 0
    for a category or missing-indicator that no training row has; `varies` `[R, W]`, 0 for one that all training rows
    have or none.

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
    low: Tensor
    high: Tensor
    seen: Tensor
    varies: Tensor
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
        self.embedding = number_features(spec, runs, net)
        plain = numbers + len(self.gaps) + self.onehot
        self.width = plain + (0 if self.embedding is None else self.embedding.width)
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
        first: dict[bytes, int] = {}  # runs with the same rows have the same statistics
        buffers = self.state_dict().values()
        for r, (rows, taught) in enumerate(zip(train, train if learnt is None else learnt, strict=True)):
            key = hashlib.sha256(rows.tobytes() + taught.tobytes()).digest()
            if (same := first.setdefault(key, r)) < r:
                for buffer in buffers:
                    buffer[r] = buffer[same]
                continue
            scales = quartile_scales(numeric, rows) if self.robust else standard_scales(numeric, rows, bool(self.gaps))
            low, high = ranges(numeric, taught)
            inverse = np.where(high - low > self.least, scales[1], 0)  # a smaller range is rounding of a constant
            self.mean[r], self.inverse[r] = torch.from_numpy(scales[0]), torch.from_numpy(inverse)
            self.low[r], self.high[r] = torch.from_numpy(low), torch.from_numpy(high)
            if self.embedding is not None:
                self.embedding.fit(r, numeric, rows, inverse != 0)
            gaps = np.isnan(numeric[np.ix_(taught, self.gaps)]).sum(0)
            words = np.bincount(positions[taught].ravel(), minlength=self.onehot + 1)[: self.onehot]
            times = torch.from_numpy(np.concatenate([gaps, words]))
            self.seen[r], self.varies[r] = times > 0, (times > 0) & (times < len(taught))
        self.refresh()

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
            out[..., start : start + self.varies.shape[1]] *= self.varies.unsqueeze(1)
        return out


def completed(buffers: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The buffers of an encoder; in those of an older version, all inputs that were `seen` are used."""
    return {"varies": buffers["seen"], **buffers} if "seen" in buffers else dict(buffers)
