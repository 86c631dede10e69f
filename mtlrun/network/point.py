"""model=point: a trunk that is a point, and objectives in the place of heads, as functions of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mtlrun.model.trunks.mlp import Factors, Noise, Passed
from mtlrun.network.heads import HeadSpec
from mtlrun.tasks import TaskType, toy_objectives


class PointTrunk(nn.Module):
    """A point x `[R, 1, D]` of each run, its only parameters. Features are the inputs (layer 0) and, for every row of a
    batch the same, the point (layer 1)."""

    def __init__(self, starts: Sequence[Sequence[float]], inputs: int) -> None:
        super().__init__()
        self.widths = [inputs, len(starts[0])]
        self.point = nn.Parameter(torch.tensor([[list(start)] for start in starts]))

    def forward(self, x: Tensor, noise: Noise | None = None, tape: list[Passed] | None = None) -> list[Tensor]:
        """Inputs `[R, B, inputs]` → those and the point `[R, B, D]`. `pull_back` needs no tape here."""
        return [x, self.point.expand(-1, x.shape[1], -1)]

    @torch.no_grad()
    def pull_back(
        self, tape: Sequence[Passed], gradients: Mapping[int, Tensor], out: Tensor, factors: list[Factors] | None = None
    ) -> None:
        """Gradients with respect to the point, `out` `[R, T, D]`, from those of its copies, `[R, T, B, D]` by layer;
        there is nothing to factor."""
        torch.sum(gradients[1], 2, out=out)

    def figures(self) -> dict[str, Tensor]:
        """Its coordinates `[R]`: x1, x2."""
        return {f"x{i}": values for i, values in enumerate(self.point.detach()[:, 0].unbind(1), 1)}


class _Objectives(torch.autograd.Function):
    """The functions of toy_objectives.py with their derivatives in closed form: one node in the place of forty."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, constants: Tensor, scales: Tensor) -> Tensor:
        ctx.apart = x.dim() == 4
        point = x[:, 0] if ctx.apart else x  # [R, B, 2]
        if x.is_cpu:  # numpy takes a third of torch's time for arrays of a few numbers
            array, of = point.detach().numpy(), constants.numpy()
            found = toy_objectives.values_and_slopes(of, array[..., :1], array[..., 1:], np)
            value, by_x1, by_x2 = (torch.from_numpy(part) for part in found)
        else:
            value, by_x1, by_x2 = toy_objectives.values_and_slopes(constants, point[..., :1], point[..., 1:], torch)
        ctx.save_for_backward(by_x1, by_x2, scales)
        result: Tensor = value * scales
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        by_x1, by_x2, scales = ctx.saved_tensors  # [R, B, T]
        scaled = gradients[0] * scales
        of_tasks = torch.stack([scaled * by_x1, scaled * by_x2], -1)  # [R, B, T, 2]
        return of_tasks.transpose(1, 2) if ctx.apart else of_tasks.sum(2), None, None


class ObjectiveBlock(nn.Module):
    """T objectives as a block of heads that have no parameters: each puts out the value of its function."""

    constants: Tensor
    scales: Tensor

    def __init__(
        self, kind: TaskType, specs: Sequence[HeadSpec], names: Sequence[str], scales: Sequence[float]
    ) -> None:
        super().__init__()
        self.kind, self.specs = kind, list(specs)
        self.tasks = [s.task for s in specs]
        self.outputs, self.task_axes = 1, list[int]()
        self.register_buffer("constants", torch.tensor(toy_objectives.constants(names)), persistent=False)  # [3, T]
        self.register_buffer("scales", torch.tensor(list(scales)), persistent=False)  # [T]

    def task_parameters(self, task: str) -> list[Tensor]:
        """None."""
        return []

    def forward(self, x: Tensor, tape: list[Tensor] | None = None) -> tuple[Tensor, None]:
        """Points x `[R, B, 2]` → values `[R, B, T, 1]`; or `[R, T, B, 2]`, one tensor expanded, as in `HeadBlock`.
        There are no hidden layers to fill a `tape` with."""
        values: Tensor = _Objectives.apply(x, self.constants, self.scales)
        return values.unsqueeze(-1), None
