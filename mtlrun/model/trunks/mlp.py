"""model=mlp: a multi-layer perceptron."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtlrun.config.schema import ModelConfig
from mtlrun.model.layers import ACTIVATIONS, DERIVATIVES, Linear
from mtlrun.model.trunks.base import Factors, Noise, Trunk


@dataclass(frozen=True)
class Passed:
    """Record of a layer's forward pass.

    read: its input `[R, B, in]`; slope: derivative `[R, B, out]` of its output by the linear map's, dropout included
    """

    read: Tensor
    slope: Tensor


class MlpTrunk(Trunk):
    """A multi-layer perceptron."""

    def __init__(self, configs: Sequence[ModelConfig], seeds: Sequence[int], inputs: int) -> None:
        super().__init__()
        config = configs[0]
        self.widths = [inputs, *config.hidden]
        self.dropout = config.dropout
        self.activation = ACTIVATIONS[config.activation]
        self.derivative = DERIVATIVES[config.activation]
        pairs = zip(self.widths, config.hidden, strict=False)
        self.layers = nn.ModuleList(Linear(seeds, f"trunk.layer{i}", a, b) for i, (a, b) in enumerate(pairs, 1))
        self.linear = [layer for layer in self.layers if isinstance(layer, Linear)]

    def features(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        return self.forward(x, noise)

    def forward(self, x: Tensor, noise: Noise | None = None, tape: list[Passed] | None = None) -> list[Tensor]:
        """As `Trunk.forward`. `pull_back` needs only the tape, not autograd."""
        features = [x]
        for i, layer in enumerate(self.layers, 1):
            linear = layer(features[-1])
            h = self.activation(linear)
            slope = None if tape is None else self.derivative(linear, h)
            if noise is not None and self.dropout:
                mask = noise(f"trunk.layer{i}", h.shape[1:])
                h = h * mask
                slope = None if slope is None else slope * mask
            if tape is not None and slope is not None:
                tape.append(Passed(features[-1], slope))
            features.append(h)
        return features

    @torch.no_grad()
    def pull_back(
        self, tape: Sequence[Passed], gradients: Mapping[int, Tensor], out: Tensor, factors: list[Factors] | None = None
    ) -> None:
        """Computes gradients in the parameters from gradients in the features, for T tasks at once.

        gradients: by layer, `[R, T, B, H]`; out: `[R, T, S]`, with columns in the order of `parameters()`. Each layer
        takes two products for all tasks; autograd would take T passes.

        factors: a list that receives the layers for which factors `pay`; their columns of `out` stay unwritten
        """
        end, upstream = out.shape[2], torch.empty(0)
        for i in range(len(self.linear), 0, -1):
            weight, passed = self.linear[i - 1].weight, tape[i - 1]  # [R, in, out]
            if i in gradients:
                upstream = upstream + gradients[i] if upstream.numel() else gradients[i]
            inputs, outputs = weight.shape[1:]
            start = end - (inputs + 1) * outputs
            columns, end = slice(start, end), start
            if not upstream.numel():  # no task reads this layer or a later one
                out[..., columns].zero_()
                continue
            slope = passed.slope.unsqueeze(1)
            delta = upstream * slope if i in gradients else upstream.mul_(slope)  # [R, T, B, out]
            write_gradients(passed.read, delta, columns, out, factors)
            if i > 1:
                upstream = through(delta, weight)


def write_gradients(
    read: Tensor, delta: Tensor, columns: slice, out: Tensor, factors: list[Factors] | None = None
) -> None:
    """Writes the gradients of a layer's parameters for T tasks into columns of `out` `[R, T, S]`, or into `factors`.

    read: the layer's input `[R, B, in]`; delta: gradients in the result of its linear map, `[R, T, B, out]`; factors: a
    list that receives them if factors `pay`; the columns of `out` then stay unwritten
    """
    runs, tasks, batch, outputs = delta.shape
    inputs = read.shape[2]
    if factors is not None and Factors.pay(tasks, batch, inputs, outputs):
        factors.append(Factors(columns, read, delta))
        return
    into, of_tasks = out[..., columns], read.mT.unsqueeze(1).expand(runs, tasks, inputs, batch)
    product = into[..., : inputs * outputs].view(runs * tasks, inputs, outputs)
    torch.bmm(of_tasks.reshape(-1, inputs, batch), delta.view(runs * tasks, batch, outputs), out=product)
    torch.sum(delta, 2, out=into[..., inputs * outputs :])


def through(delta: Tensor, weight: Tensor) -> Tensor:
    """Returns gradients in a layer's input `[R, T, B, in]`, from those in its linear map and its weight."""
    runs, tasks, batch, outputs = delta.shape
    return torch.bmm(delta.view(runs, tasks * batch, outputs), weight.mT).view(runs, tasks, batch, -1)
