"""One buffer for all parameters of a stack."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mtlrun.model.network import Network


class Flat:
    """The parameters of network and strategy as views of one `[R, P]` buffer, and their gradients as another.

    One fused optimiser call and one multiply-add then serve all. The shared parameters come first, up to column
    `shared_size`, then the heads'; the strategy's own come last, from column `network_size` on.
    """

    def __init__(self, network: Network, strategy: nn.Module) -> None:
        named = [(f"network.{n}", p) for n, p in network.named_parameters()]
        self.heads = {f"network.{n}": axes for n, axes in network.head_axes().items()}
        self.network_parameters = [p for _, p in named]
        self.shared_parameters = [p for n, p in named if n not in self.heads]
        named += [(f"strategy.{n}", p) for n, p in strategy.named_parameters()]
        self.names = [n for n, _ in named]
        self.parameters = [p for _, p in named]
        self.sizes = [p[0].numel() for p in self.parameters]
        self.network_size = sum(self.sizes[: len(self.network_parameters)])
        self.shared_size = sum(self.sizes[: len(self.shared_parameters)])
        runs = self.parameters[0].shape[0]
        self.values = torch.cat([p.detach().reshape(runs, -1) for p in self.parameters], 1)  # [R, P]
        self.gradients = torch.zeros_like(self.values)  # [R, P]
        for parameter, view in zip(self.parameters, self.values.split(self.sizes, 1), strict=True):
            parameter.data = view.view(parameter.shape)

    def set_gradients(self, gradients: Sequence[Tensor]) -> None:
        """Copy gradients, in the order of `parameters`, into the buffer."""
        torch.cat([g.flatten(1) for g in gradients], 1, out=self.gradients)

    def spread(self, rates: Sequence[Mapping[str, float]], strategy_rates: Sequence[float]) -> Tensor:
        """Per-group rates of every run (`trunk` and each task) as one rate per parameter `[R, P]`."""
        columns = []
        for name, parameter in zip(self.names, self.parameters, strict=True):
            if name.startswith("strategy."):
                column = torch.tensor(strategy_rates).view(-1, *[1] * (parameter.dim() - 1))
            elif name in self.heads:
                tasks, axis = self.heads[name]
                shape = [len(rates)] + [1] * (parameter.dim() - 1)
                shape[axis] = len(tasks)
                column = torch.tensor([[r[t] for t in tasks] for r in rates]).view(shape)
            else:
                column = torch.tensor([r["trunk"] for r in rates]).view(-1, *[1] * (parameter.dim() - 1))
            columns.append(column.expand(parameter.shape).reshape(len(rates), -1))
        return torch.cat(columns, 1).to(self.values)
