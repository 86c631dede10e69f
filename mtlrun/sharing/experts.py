"""Parts of mixtures of experts: the experts, and gates that mix them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlrun.model.layers import ACTIVATIONS, uniform
from mtlrun.model.trunks import Noise
from mtlrun.sharing.base import Plan


class Experts(nn.Module):
    """E multi-layer perceptrons with hidden layers `model.hidden`, where E is the product of `shape`.

    Each layer has weights `[R, *shape, in, out]` and biases `[R, *shape, 1, out]`. `names`, one per expert, select
    the random numbers for initial parameters and dropout. The expert `trunk` starts like the trunk of hard sharing.
    """

    def __init__(self, plan: Plan, names: Sequence[str], shape: Sequence[int]) -> None:
        super().__init__()
        self.names = list(names)
        self.dropout, self.activation = plan.model.dropout, ACTIVATIONS[plan.model.activation]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        widths = [plan.inputs, *plan.model.hidden]
        for i, (inputs, outputs) in enumerate(zip(widths, plan.model.hidden, strict=False), 1):
            for kind, rows, group in (("weight", inputs, self.weights), ("bias", 1, self.biases)):
                draws = [uniform(plan.seeds, f"{n}.layer{i}.{kind}", (rows, outputs), inputs) for n in self.names]
                group.append(nn.Parameter(torch.stack(draws, 1).unflatten(1, tuple(shape))))
        self.layers = list(zip(self.weights, self.biases, strict=True))  # ParameterList is slow to walk

    def layer(self, i: int, x: Tensor, noise: Noise | None = None) -> Tensor:
        """Returns layer i, counted from 1, of every expert: `[R, E, B, out]`.

        x: `[R, G, B, in]`, the inputs of G groups of E/G consecutive experts
        """
        weight, bias = self.layers[i - 1]
        runs, groups, batch, inputs = x.shape
        each, outputs = len(self.names) // groups, weight.shape[-1]
        # one product for all experts of a group, without copies of their inputs
        weight = weight.reshape(runs * groups, each, inputs, outputs).transpose(1, 2).flatten(2)
        bias = bias.reshape(runs * groups, 1, each * outputs)
        h = torch.baddbmm(bias, x.reshape(runs * groups, batch, inputs), weight)
        h = self.activation(h.view(runs, groups, batch, each, outputs).transpose(2, 3).flatten(1, 2))
        if noise is not None and self.dropout:
            h = h * torch.stack([noise(f"{name}.layer{i}", h.shape[2:]) for name in self.names], 1)
        return h


class Gates(nn.Module):
    """Gates of T readers over N experts: softmax(x W + b), with W `[R, T, in, N]` and b `[R, T, 1, N]`.

    `names` as for `Experts`.
    """

    def __init__(self, plan: Plan, names: Sequence[str], inputs: int, experts: int) -> None:
        super().__init__()
        draws = [
            [uniform(plan.seeds, f"{name}.{kind}", (rows, experts), inputs) for name in names]
            for kind, rows in (("weight", inputs), ("bias", 1))
        ]
        self.weight, self.bias = (nn.Parameter(torch.stack(own, 1)) for own in draws)

    def forward(self, x: Tensor) -> Tensor:
        """Inputs `[R, B, in]`, or separate ones for each reader `[R, T, B, in]` → gates `[R, T, B, N]`."""
        if x.dim() == 4:
            return torch.softmax(torch.matmul(x, self.weight) + self.bias, -1)
        weight, bias = self.weight.transpose(1, 2), self.bias.transpose(1, 2)  # [R, in, T, N], [R, 1, T, N]
        logits = torch.baddbmm(bias.flatten(2), x, weight.flatten(2)).unflatten(2, weight.shape[2:])
        return torch.softmax(logits, -1).transpose(1, 2)


def mixed(gates: Tensor, shared: Tensor, own: Tensor | None = None) -> Tensor:
    """Returns the input of each of T readers, `[R, T, B, H]`: the experts' outputs times the gates `[R, T, B, S + K]`.

    shared `[R, S, B, H]`: of experts that all read, which come first in the gates; own `[R, T·K, B, H]`: of those that
    one reader alone reads, its neighbours together
    """
    count = shared.shape[1]
    features = torch.einsum("rtbe,rebh->rtbh", gates[..., :count], shared)
    if own is None:
        return features
    by_reader = own.unflatten(1, (gates.shape[1], -1))
    return features + torch.einsum("rtbk,rtkbh->rtbh", gates[..., count:], by_reader)


def shared_names(count: int) -> list[str]:
    """Returns names of shared experts. The first is that of the trunk of hard sharing."""
    return ["trunk", *(f"trunk.expert{k}" for k in range(1, count))]


def own_names(tasks: Sequence[str], count: int) -> list[str]:
    """Returns names of `count` experts for each task."""
    return [f"trunk.own.{task}.expert{k}" for task in tasks for k in range(count)]
