"""Trunks: features shared by the tasks, layer by layer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtlrun.config.schema import ModelConfig
from mtlrun.model.layers import ACTIVATIONS, DERIVATIVES, Linear

Noise = Callable[[str, Sequence[int]], Tensor]


@dataclass(frozen=True)
class Passed:
    """What a layer did in a forward pass: its input `[R, B, in]`, and the derivative `[R, B, out]` of its output with
    respect to the linear map's, dropout included."""

    read: Tensor
    slope: Tensor


@dataclass(frozen=True)
class Factors:
    """The gradients of a layer's parameters for T tasks, not multiplied out: of its weights readᵀ δ, of its bias the
    sum of δ over the batch.

    columns: of these parameters among the trunk's; read: `[R, B, in]`, the layer's input; delta: `[R, T, B, out]`, δ
    """

    columns: slice
    read: Tensor
    delta: Tensor

    @staticmethod
    def pay(tasks: int, batch: int, inputs: int, outputs: int) -> bool:
        """Whether the Gramian takes less work from factors, a float64 operation counting for two and one of the
        Cholesky decomposition for six."""
        return 2 * batch * (inputs + batch) + tasks * batch * outputs < tasks * inputs * outputs

    def gramian(self) -> Tensor:
        """Inner products `[R, T, T]` of the tasks' gradients, float64.

        With X the inputs and a column of ones, and X Xᵀ = L Lᵀ, that of Xᵀδ_i and Xᵀδ_j is that of Lᵀδ_i and Lᵀδ_j,
        which are `[B, out]` in place of `[in + 1, out]`. Products of Lᵀδ round as those of Xᵀδ do, where
        δ_iᵀ X Xᵀ δ_j by itself would be a small difference of large numbers.
        """
        read = self.read.double()
        kernel = torch.bmm(read, read.mT).add_(1.0)  # [R, B, B]
        diagonal = kernel.diagonal(dim1=1, dim2=2)
        # more than what rounding takes from an eigenvalue of 0, and less than float32 can tell
        diagonal.add_(4 * read.shape[1] * torch.finfo(torch.float64).eps * diagonal.sum(1, keepdim=True))
        lower, failed = torch.linalg.cholesky_ex(kernel)
        root = lower.mT.masked_fill((failed > 0).view(-1, 1, 1), torch.nan).to(self.delta)
        products = (root.unsqueeze(1) @ self.delta).flatten(2)  # [R, T, B·out]
        return torch.bmm(products, products.mT).double()

    def combined(self, weights: Tensor, out: Tensor) -> None:
        """Their sum with weights `[R, T]`, into the columns of `out` `[R, S]`."""
        runs, batch, inputs = self.read.shape
        delta = torch.bmm(weights.unsqueeze(1), self.delta.flatten(2)).view(runs, batch, -1)
        into = out[:, self.columns]
        torch.bmm(self.read.mT, delta, out=into[:, : inputs * delta.shape[2]].view(runs, inputs, -1))
        torch.sum(delta, 1, out=into[:, inputs * delta.shape[2] :])


class MlpTrunk(nn.Module):
    """A multi-layer perceptron. `widths[i]` is the width after layer i; `widths[0]` that of the inputs."""

    def __init__(self, config: ModelConfig, seeds: Sequence[int], inputs: int) -> None:
        super().__init__()
        self.widths = [inputs, *config.hidden]
        self.dropout = config.dropout
        self.activation = ACTIVATIONS[config.activation]
        self.derivative = DERIVATIVES[config.activation]
        pairs = zip(self.widths, config.hidden, strict=False)
        self.layers = nn.ModuleList(Linear(seeds, f"trunk.layer{i}", a, b) for i, (a, b) in enumerate(pairs, 1))
        self.linear = [layer for layer in self.layers if isinstance(layer, Linear)]

    def forward(self, x: Tensor, noise: Noise | None = None, tape: list[Passed] | None = None) -> list[Tensor]:
        """Inputs `[R, B, D]` → the features after every layer, `[R, B, H]` each; the inputs are layer 0.

        A `tape`, which is filled, is what `pull_back` needs; autograd is not.
        """
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
        """Gradients with respect to the parameters, for T tasks at once, from those with respect to the features.

        gradients: by layer, `[R, T, B, H]`; out: `[R, T, S]`, with columns in the order of `parameters()`. In each
        layer two products serve all tasks, where autograd would take T passes.

        factors: a list that gets the layers for which factors `pay`; their columns of `out` are left as they are.
        """
        runs, tasks, size = out.shape
        end, upstream = size, torch.empty(0)
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
            batch = delta.shape[2]
            if factors is not None and Factors.pay(tasks, batch, inputs, outputs):
                factors.append(Factors(columns, passed.read, delta))
            else:
                into, read = out[..., columns], passed.read.mT.unsqueeze(1).expand(runs, tasks, inputs, batch)
                product = into[..., : inputs * outputs].view(runs * tasks, inputs, outputs)
                torch.bmm(read.reshape(-1, inputs, batch), delta.view(runs * tasks, batch, outputs), out=product)
                torch.sum(delta, 2, out=into[..., inputs * outputs :])
            if i > 1:
                flat = torch.bmm(delta.view(runs, tasks * batch, outputs), weight.mT)
                upstream = flat.view(runs, tasks, batch, inputs)

    def figures(self) -> dict[str, Tensor]:
        """Nothing is logged of it."""
        return {}
