"""Further inputs for each number: fixed functions of the number, scaled by quartiles of each run's training rows."""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mtlrun.config.schema import ModelConfig
from mtlrun.data.columns import InputSpec
from mtlrun.network.number_scales import known_numbers, quartile_scale, smooth_clip_, smoothly_clipped
from mtlrun.tasks.base import OnnxGraph

FINITE = 1e30
NARROWEST = 1e-12  # of a bin, in units of the distance between the quartiles


class Encoding(nn.Module, ABC):
    """Maps E robustly scaled numbers to `each` features per number."""

    def __init__(self, each: int) -> None:
        super().__init__()
        self.each = each

    @abstractmethod
    def fit_number(self, run: int, at: int, scaled: np.ndarray) -> None:
        """Sets what a number needs besides its scale.

        scaled: its known training values `[n]`, robustly scaled; none if there are fewer than 3 different ones, because
        the scaled number then says all
        """

    @abstractmethod
    def forward(self, scaled: Tensor, missing: Tensor | None) -> Tensor:
        """Robustly scaled numbers `[..., R, B, E]` → features `[..., R, B, E · each]`.

        missing: a mask of the same shape; such a number is scaled to 0. None: no number is missing
        """

    @abstractmethod
    def exported(self, graph: OnnxGraph, scaled: str, missing: str) -> str:
        """Adds `forward` of a single run to an ONNX graph: of scaled numbers `[N, E]` with a mask `[N, E]`.

        Returns the name of the result, whose last axes make up E · each.
        """


class NumberFeatures(nn.Module):
    """The features of some of the numbers: those of each of its encodings, one after the other.

    Buffers: `median`, `inverse` `[R, E]`, see `quartile_scale`; `numbers` `[E]`, the places of the E numbers.
    """

    median: Tensor
    inverse: Tensor
    numbers: Tensor

    def __init__(self, numbers: Sequence[int], runs: int, encodings: Sequence[Encoding]) -> None:
        super().__init__()
        self.encodings = nn.ModuleList(encodings)
        self.width = sum(encoding.each for encoding in encodings) * len(numbers)
        self.register_buffer("numbers", torch.tensor(list(numbers), dtype=torch.long), persistent=False)
        # float64: float32 would lose the differences of timestamps
        self.register_buffer("median", torch.zeros(runs, len(numbers), dtype=torch.float64))
        self.register_buffer("inverse", torch.zeros(runs, len(numbers), dtype=torch.float64))

    @property
    def parts(self) -> Iterator[Encoding]:
        """The encodings."""
        for encoding in self.encodings:
            assert isinstance(encoding, Encoding)
            yield encoding

    def fit(self, run: int, numeric: np.ndarray, rows: np.ndarray, used: np.ndarray) -> None:
        """Sets the buffers of a run from its training rows: the numbers of `rows` of `numeric` `[N, Dn]`.

        used: a mask `[Dn]` of the numbers that the run can learn from; the features of others are 0
        """
        for i, number in enumerate(self.numbers.tolist()):
            known = known_numbers(numeric, rows, number) if used[number] else np.empty(0)
            median, inverse = quartile_scale(known)
            self.median[run, i], self.inverse[run, i] = median, inverse
            scaled = (known - median) * inverse
            several = len(scaled) and ((scaled > scaled.min()) & (scaled < scaled.max())).any()
            for encoding in self.parts:
                encoding.fit_number(run, i, scaled if several else scaled[:0])

    def forward(self, numeric: Tensor, missing: Tensor | None) -> Tensor:
        """All numbers `[..., R, B, Dn]` float64 and a mask of the missing ones → features `[..., R, B, width]`."""
        if len(self.numbers) < numeric.shape[-1]:
            numeric = numeric.index_select(-1, self.numbers)
            missing = None if missing is None else missing.index_select(-1, self.numbers)
        scaled = (numeric - self.median.unsqueeze(1)).mul_(self.inverse.unsqueeze(1)).float()
        scaled = scaled.nan_to_num_(0.0, FINITE, -FINITE)
        return torch.cat([encoding(scaled, missing) for encoding in self.encodings], -1)


class Piecewise(Encoding):
    r"""Piecewise linear encoding (Gorishniy, Rubachev & Babenko 2022, On embeddings for numerical features, eq. 1).

    The quantiles of the training values are edges :math:`b_0 < … < b_T`; equal ones are merged, so T ≤ `bins`.

    .. math:: e_t = \frac{x - b_{t-1}}{b_t - b_{t-1}}, \text{ clipped to } [0, 1]

    The paper does not clip the first below nor the last above. Here they end at −1 and 2, so that an outlier stays
    harmless. Columns from T on are 0, and so are all columns of a number with fewer than 2 bins. A missing number
    counts as the median.

    Buffers `[R, E, bins]`: `lower`, the edges b_{t-1}; `slope`, 1 / (b_t − b_{t-1}); `least`, `most`, the bounds.
    """

    lower: Tensor
    slope: Tensor
    least: Tensor
    most: Tensor

    def __init__(self, numbers: int, runs: int, net: ModelConfig) -> None:
        super().__init__(net.bins)
        for name in ("lower", "slope", "least", "most"):
            self.register_buffer(name, torch.zeros(runs, numbers, self.each))

    def fit_number(self, run: int, at: int, scaled: np.ndarray) -> None:
        for buffer in (self.lower, self.slope, self.least, self.most):
            buffer[run, at] = 0
        if not len(scaled):
            return
        quantiles = np.quantile(scaled, np.linspace(0, 1, self.each + 1)).clip(-FINITE, FINITE).astype(np.float32)
        edges = torch.from_numpy(quantiles[np.append(True, np.diff(quantiles) > NARROWEST)])
        bins = len(edges) - 1
        if bins < 2:
            return
        self.lower[run, at, :bins] = edges[:-1]
        self.slope[run, at, :bins] = 1 / edges.diff()
        self.least[run, at, 0] = -1
        self.most[run, at, :bins] = 1
        self.most[run, at, bins - 1] = 2

    def forward(self, scaled: Tensor, missing: Tensor | None) -> Tensor:
        shares = (scaled.unsqueeze(-1) - self.lower.unsqueeze(1)).mul_(self.slope.unsqueeze(1))
        return shares.clamp_(self.least.unsqueeze(1), self.most.unsqueeze(1)).flatten(-2)

    def exported(self, graph: OnnxGraph, scaled: str, missing: str) -> str:
        scaled = graph.add("Unsqueeze", scaled, graph.constant([2], np.int64))
        shares = graph.add("Sub", scaled, graph.constant(self.lower[:1].numpy()))
        shares = graph.add("Mul", shares, graph.constant(self.slope[:1].numpy()))
        bounded = graph.add("Max", shares, graph.constant(self.least[:1].numpy()))
        return graph.add("Min", bounded, graph.constant(self.most[:1].numpy()))


class Periodic(Encoding):
    r"""Sine and cosine of fixed frequencies (Tancik et al. 2020, Fourier features; Gorishniy et al. 2022, section 3.3).

    .. math:: g \sin(2π f x), \quad g \cos(2π f x)

    for each frequency f of `model.frequencies`; x is the robustly scaled number after `smooth_clip_`, and g is
    `model.gain`. The papers draw the frequencies or learn them. A missing number has 0, and so has a number with fewer
    than 3 values in training.

    The features are the sines of all numbers for each frequency in turn, then the cosines. Buffer: `gain` `[R, E]`, g
    or 0.
    """

    gain: Tensor

    def __init__(self, numbers: int, runs: int, net: ModelConfig) -> None:
        super().__init__(2 * len(net.frequencies))
        self.full, self.frequencies = net.gain, net.frequencies
        self.register_buffer("gain", torch.zeros(runs, numbers))

    def fit_number(self, run: int, at: int, scaled: np.ndarray) -> None:
        self.gain[run, at] = self.full if len(scaled) else 0.0

    def forward(self, scaled: Tensor, missing: Tensor | None) -> Tensor:
        x, gain = smooth_clip_(scaled.clone()), self.gain.unsqueeze(1)
        sines: list[Tensor] = []
        cosines: list[Tensor] = []
        for before, frequency in itertools.pairwise([0.0, *self.frequencies]):
            if frequency == 2 * before:  # much faster than another sine and cosine
                cosines.append((sines[-1] * sines[-1]).mul_(-2).add_(1))
                sines.append((sines[-1] * cosines[-2]).mul_(2))
            else:
                angle = x * (2 * math.pi * frequency)
                sines.append(angle.sin())
                cosines.append(angle.cos())
        waves = torch.cat([*sines, *cosines], -1).unflatten(-1, (self.each, -1))
        return waves.mul_((gain if missing is None else gain * ~missing).unsqueeze(-2)).flatten(-2)

    def exported(self, graph: OnnxGraph, scaled: str, missing: str) -> str:
        axis = graph.constant([1], np.int64)
        x = graph.add("Unsqueeze", smoothly_clipped(graph, scaled), axis)
        turns = 2 * math.pi * np.array(self.frequencies).reshape(-1, 1)
        angles = graph.add("Mul", x, graph.constant(turns, np.float32))
        waves = graph.add("Concat", graph.add("Sin", angles), graph.add("Cos", angles), axis=1)
        gain = graph.add("Where", missing, graph.constant(0, np.float32), graph.constant(self.gain[:1].numpy()))
        return graph.add("Mul", waves, graph.add("Unsqueeze", gain, axis))


ENCODINGS: dict[str, tuple[type[Piecewise] | type[Periodic], ...]] = {
    "piecewise": (Piecewise,),
    "periodic": (Periodic,),
    "both": (Piecewise, Periodic),
}


def number_features(spec: InputSpec, runs: int, net: ModelConfig) -> NumberFeatures | None:
    """The features that the embedding of `spec` makes of its numbers; None if there are none."""
    if spec.embedding == "none" or not spec.embeddable:
        return None
    encodings = [encoding(len(spec.embeddable), runs, net) for encoding in ENCODINGS[spec.embedding]]
    return NumberFeatures(spec.embeddable, runs, encodings)
