"""model=tabm: a multi-layer perceptron as an ensemble of k members that share its weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.config.schema import TabmConfig
from mtlrun.model.layers import generator
from mtlrun.model.trunks.base import Factors, Noise
from mtlrun.model.trunks.mlp import MlpTrunk, through, write_gradients


@dataclass(frozen=True)
class Record:
    """Record of a forward pass. The first entry of `plain` and `read` is that of the inputs.

    plain: inputs `[R, 1, B, D]` and outputs of the layers `[R, k, B, H]`, before the members scale them
    read: the same, scaled, `[R, k·B, H]`
    slopes: of each layer, derivative `[R, k·B, H]` of its scaled output by the linear map's, dropout included
    """

    plain: list[Tensor]
    read: list[Tensor]
    slopes: list[Tensor]


class TabmTrunk(MlpTrunk):
    r"""k members that share the weights of a multi-layer perceptron (Gorishniy, Kotelnikov & Babenko 2025, TabM).

    Member m scales the inputs x and the output of every layer by parameters of its own, as BatchEnsemble does (Wen,
    Tran & Ba 2020):

    .. math:: h^0_m = r^0_m \odot x, \qquad h^i_m = r^i_m \odot \phi(h^{i-1}_m W_i + b_i)

    As in the paper, :math:`r^0` starts with random signs and the others with 1, each member has its own loss, and the
    predictions are averaged. The paper's members also have biases and linear heads of their own, and a second scale
    before :math:`\phi`. Here they share biases and heads: :math:`r` is what a head's first layer sees of a member.

    Parameters: those of the layers, then `scales[i]` `[R, k, 1, H]`.
    """

    def __init__(self, configs: Sequence[TabmConfig], seeds: Sequence[int], inputs: int) -> None:
        super().__init__(configs, seeds, inputs)
        self.members = configs[0].members
        signs = [
            torch.randint(2, (self.members, 1, inputs), generator=generator(seed, "init", "trunk.scales")) * 2.0 - 1
            for seed in seeds
        ]
        ones = [torch.ones(len(seeds), self.members, 1, width) for width in self.widths[1:]]
        self.scales = nn.ParameterList([torch.stack(signs), *ones])
        self.scale = list(self.scales)  # ParameterList is slow to walk

    def features(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        """Inputs `[R, B, D]` → the features after every layer `[R, k·B, H]`, the scaled inputs first."""
        return self.forward(x, noise)

    def forward(self, x: Tensor, noise: Noise | None = None, tape: list[Any] | None = None) -> list[Tensor]:
        """As `features`; fills `tape` with one `Record`, so that `pull_back` needs no autograd."""
        record = Record([x.unsqueeze(1)], [(x.unsqueeze(1) * self.scale[0]).flatten(1, 2)], [])
        for i, layer in enumerate(self.linear, 1):
            linear = layer(record.read[-1])
            h = self.activation(linear)
            slope = None if tape is None else self.derivative(linear, h)
            if noise is not None and self.dropout:
                mask = noise(f"trunk.layer{i}", h.shape[1:])  # differs between members
                h = h * mask
                slope = None if slope is None else slope.mul_(mask)
            record.plain.append(self._by_member(h))
            record.read.append((record.plain[-1] * self.scale[i]).flatten(1, 2))
            if slope is not None:
                record.slopes.append((self._by_member(slope) * self.scale[i]).flatten(1, 2))
        if tape is not None:
            tape.append(record)
        return list(record.read)

    def _by_member(self, h: Tensor) -> Tensor:
        """`[R, k·B, H]` → `[R, k, B, H]`."""
        return h.view(h.shape[0], self.members, -1, h.shape[2])

    @torch.no_grad()
    def pull_back(
        self, tape: Sequence[Any], gradients: Mapping[int, Tensor], out: Tensor, factors: list[Factors] | None = None
    ) -> None:
        """As `MlpTrunk.pull_back`; the gradient of a scale is the sum over the member's rows."""
        record: Record = tape[0]
        runs, tasks, end = out.shape
        of_scales = [0, *torch.tensor([scale[0].numel() for scale in self.scale]).cumsum(0).tolist()]
        first = end = end - of_scales[-1]  # the columns of the layers come before it
        upstream: Tensor | None = None
        for i in range(len(self.linear), -1, -1):
            if i in gradients:
                upstream = gradients[i] if upstream is None else upstream + gradients[i]
            own = out[..., first + of_scales[i] : first + of_scales[i + 1]]
            start = end - (0 if i == 0 else self.linear[i - 1].weight[0].numel() + self.widths[i])
            columns, end = slice(start, end), start
            if upstream is None:  # no task reads this layer or a later one
                own.zero_()
                out[..., columns].zero_()
                continue
            by_member = upstream.view(runs, tasks, self.members, -1, self.widths[i])
            own.copy_((by_member * record.plain[i].unsqueeze(1)).sum(3).flatten(2))
            if i > 0:
                delta = upstream * record.slopes[i - 1].unsqueeze(1)
                write_gradients(record.read[i - 1], delta, columns, out, factors)
                upstream = through(delta, self.linear[i - 1].weight)
