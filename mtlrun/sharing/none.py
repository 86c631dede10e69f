"""No sharing: single-task networks, trained together."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlrun.model.layers import ACTIVATIONS, uniform
from mtlrun.model.trunks import Noise
from mtlrun.sharing.base import Plan, Sharing


class TaskTrunks(nn.Module):
    """A multi-layer perceptron for each of T tasks. A layer has weights `[R, T, in, out]` and biases `[R, T, 1, out]`.

    All start with the same parameters: those of `MlpTrunk`, as in a single-task network and in hard sharing.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.widths = [plan.inputs, *plan.model.hidden]
        self.dropout, self.activation = plan.model.dropout, ACTIVATIONS[plan.model.activation]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for i, (inputs, outputs) in enumerate(zip(self.widths, plan.model.hidden, strict=False), 1):
            for name, rows, group in (("weight", inputs, self.weights), ("bias", 1, self.biases)):
                values = uniform(plan.seeds, f"trunk.layer{i}.{name}", (rows, outputs), inputs)
                group.append(nn.Parameter(values.unsqueeze(1).repeat(1, len(plan.tasks), 1, 1)))
        self.layers = list(zip(self.weights, self.biases, strict=True))  # ParameterList is slow to walk

    def layer(self, i: int, x: Tensor, noise: Noise | None = None) -> Tensor:
        """Layer i, counted from 1: features `[R, B, in]` or `[R, T, B, in]` → `[R, T, B, out]`.

        All tasks have the same dropout mask, that of a single-task network.
        """
        weight, bias = self.layers[i - 1]
        h = self.activation(torch.matmul(x.unsqueeze(1) if x.dim() == 3 else x, weight) + bias)
        if noise is not None and self.dropout:
            h = h * noise(f"trunk.layer{i}", h.shape[2:]).unsqueeze(1)
        return h

    def forward(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        """Inputs `[R, B, D]` → the inputs, then the features after every layer, `[R, T, B, H]`."""
        features = [x]
        for i in range(1, len(self.widths)):
            features.append(self.layer(i, features[-1], noise))
        return features


class NoSharing(Sharing):
    """A separate trunk for each task, trained on the same batches. Tasks share nothing."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.trunks, self.tasks = TaskTrunks(plan), list(plan.tasks)
        self.widths = self.trunks.widths

    def forward(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        features: list[Tensor] = self.trunks(x, noise)
        return features

    def task_axes(self) -> dict[str, tuple[Sequence[str], int]]:
        return {name: (self.tasks, 1) for name, _ in self.named_parameters()}
