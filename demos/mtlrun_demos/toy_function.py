"""The objectives of toy_objectives.py as a torch module that replaces the heads."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mtlrun_demos import toy_objectives


class _ValuesAndSlopes(torch.autograd.Function):
    """The functions of toy_objectives.py with closed-form derivatives: one autograd node instead of forty."""

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


class ToyFunction(nn.Module):
    """T objectives as functions of a point, each multiplied by a factor. The module has no parameters."""

    constants: Tensor
    scales: Tensor

    def __init__(self, names: Sequence[str], scales: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("constants", torch.tensor(toy_objectives.constants(names)), persistent=False)  # [3, T]
        self.register_buffer("scales", torch.tensor(list(scales)), persistent=False)  # [T]

    def forward(self, x: Tensor) -> Tensor:
        """Points x `[R, B, 2]` → values `[R, B, T, 1]`. x may also be `[R, T, B, 2]`, one tensor expanded along T."""
        values: Tensor = _ValuesAndSlopes.apply(x, self.constants, self.scales)
        return values.unsqueeze(-1)
