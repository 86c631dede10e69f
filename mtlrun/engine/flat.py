"""One buffer for all parameters of a stack."""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mtlrun.network.network import Network


class Flat:
    """One buffer `[R, P]` for all parameters of network and strategy, and one for their gradients.

    Parameters are views of the buffer, so one fused optimiser call and one multiply-add update all. Order of columns:
    parameters that tasks share, up to `shared_size`; the trunk's other parameters, a part for each task, up
    to `trunk_size`; heads, up to `network_size`; parameters of the strategy.
    """

    def __init__(self, network: Network, strategy: nn.Module) -> None:
        self.heads = {f"network.{n}": axes for n, axes in network.head_axes().items()}
        self.own = {f"network.{n}": axes for n, axes in network.trunk_axes().items()}  # of the trunk
        self.factors = {f"network.{n}": factors for n, factors in network.rate_factors().items()}
        named = [(f"network.{n}", p) for n, p in network.named_parameters()]
        named.sort(key=lambda pair: 2 if pair[0] in self.heads else int(pair[0] in self.own))
        self.network_parameters = [p for _, p in named]
        self.shared_parameters = [p for n, p in named if n not in self.heads and n not in self.own]
        named += [(f"strategy.{n}", p) for n, p in strategy.named_parameters()]
        self.names = [n for n, _ in named]
        self.parameters = [p for _, p in named]
        self.sizes = [p[0].numel() for p in self.parameters]
        self.network_size = sum(self.sizes[: len(self.network_parameters)])
        self.shared_size = sum(self.sizes[: len(self.shared_parameters)])
        self.trunk_size = sum(
            size
            for name, size in zip(self.names, self.sizes, strict=True)
            if name.startswith("network.") and name not in self.heads
        )
        runs = self.parameters[0].shape[0]
        self.values = torch.cat([p.detach().reshape(runs, -1) for p in self.parameters], 1)  # [R, P]
        self.gradients = torch.zeros_like(self.values)  # [R, P]
        for parameter, view in zip(self.parameters, self.values.split(self.sizes, 1), strict=True):
            parameter.data = view.view(parameter.shape)

    def set_gradients(self, gradients: Sequence[Tensor]) -> None:
        """Copies gradients, in the order of `parameters`, into the buffer."""
        torch.cat([g.flatten(1) for g in gradients], 1, out=self.gradients)

    def rates(self, groups: Sequence[Mapping[str, float]], strategy_rates: Sequence[float]) -> Tensor:
        """Returns the rate of every parameter, `[R, P]`: that of its group times the factor of the sharing scheme."""
        rates = self.spread(groups, strategy_rates)
        for name, columns in zip(self.names, rates.split(self.sizes, 1), strict=True):
            if name in self.factors:
                columns.mul_(torch.tensor(self.factors[name]).to(rates).unsqueeze(1))
        return rates

    def name_of(self, column: int) -> str:
        """Returns the displayed name of the parameter in a column: trunk.layers.0.weight, heads.price.weights.1."""
        at = 0
        while column >= self.sizes[at]:
            column, at = column - self.sizes[at], at + 1
        name, parameter = self.names[at], self.parameters[at]
        tasks, axis = (self.heads | self.own).get(name, ((), 0))
        if tasks:
            place = torch.unravel_index(torch.tensor(column), parameter.shape[1:])
            task = tasks[int(place[axis - 1])]
            if name in self.heads:  # several heads are one parameter: the block's number means nothing to a user
                return re.sub(r"^network\.heads\.\d+\.", f"heads.{task}.", name)
            return f"{name.removeprefix('network.sharing.')} of {task}"
        return name.removeprefix("network.").removeprefix("sharing.")

    def spread(
        self, rates: Sequence[Mapping[str, float]], strategy_rates: Sequence[float], by_owner: bool = False
    ) -> Tensor:
        """Returns one rate per parameter, `[R, P]`, from the rates of every run by group (`trunk` and each task).

        `by_owner`: a part of the trunk that belongs to one task gets the task's rate instead of the trunk's.
        """
        owned = self.heads | self.own if by_owner else self.heads
        columns = []
        for name, parameter in zip(self.names, self.parameters, strict=True):
            if name.startswith("strategy."):
                column = torch.tensor(strategy_rates).view(-1, *[1] * (parameter.dim() - 1))
            elif name in owned:
                tasks, axis = owned[name]
                shape = [len(rates)] + [1] * (parameter.dim() - 1)
                shape[axis] = len(tasks)
                column = torch.tensor([[r[t] for t in tasks] for r in rates]).view(shape)
            else:
                column = torch.tensor([r["trunk"] for r in rates]).view(-1, *[1] * (parameter.dim() - 1))
            columns.append(column.expand(parameter.shape).reshape(len(rates), -1))
        return torch.cat(columns, 1).to(self.values)
