"""Layers of a stack of runs. Every tensor begins with the run axis R."""

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": nn.functional.gelu,
    "silu": nn.functional.silu,
}
_NORMAL = 1 / math.sqrt(2 * math.pi)
# derivatives, from argument x and value y
DERIVATIVES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "relu": lambda x, y: torch.sign(y),
    "tanh": lambda x, y: 1 - y * y,
    "sigmoid": lambda x, y: y * (1 - y),
    "gelu": lambda x, y: torch.special.ndtr(x) + x * torch.exp(-0.5 * x * x) * _NORMAL,
    "silu": lambda x, y: (1 + x - y) * torch.sigmoid(x),
}


def generator(seed: int, purpose: str, *parts: object) -> torch.Generator:
    """Returns a separate random generator for each (seed, purpose, parts)."""
    digest = hashlib.sha256(repr((seed, purpose, *parts)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def uniform(seeds: Sequence[int], name: str, shape: Sequence[int], fan_in: int) -> Tensor:
    """Draws initial values `[R, *shape]` by run and name from U(−1/√fan_in, 1/√fan_in), as torch.nn.Linear does."""
    bound = 1 / math.sqrt(max(fan_in, 1))
    draws = [torch.rand(*shape, generator=generator(seed, "init", name)) for seed in seeds]
    return (torch.stack(draws) * 2 - 1) * bound


class Linear(nn.Module):
    """x `[R, B, in]` → x W + b `[R, B, out]`, with W `[R, in, out]` and b `[R, 1, out]`."""

    def __init__(self, seeds: Sequence[int], name: str, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(uniform(seeds, f"{name}.weight", (inputs, outputs), inputs))
        self.bias = nn.Parameter(uniform(seeds, f"{name}.bias", (1, outputs), inputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


class OwnCopies(torch.autograd.Function):
    """A linear layer of T tasks that read the same features. Gives each task a separate gradient.

    features `[R, T, B, in]`, one tensor expanded along T; weight `[R, in, T, H]`; bias `[R, 1, T, H]` → `[R, B, T·H]`.
    The gradient with respect to the features is by task, at the cost of the sum over tasks.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(features, weight)
        return torch.baddbmm(bias.flatten(2), features[:, 0], weight.flatten(2))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features, weight = ctx.saved_tensors
        (delta,) = gradients  # [R, B, T·H]
        runs, _, tasks, width = weight.shape
        of_weight = torch.bmm(features[:, 0].mT, delta).view(weight.shape)
        of_bias = delta.sum(1).view(runs, 1, tasks, width)
        apart = delta.view(runs, -1, tasks, width).transpose(1, 2)  # [R, T, B, H]
        return apart @ weight.permute(0, 2, 3, 1), of_weight, of_bias


class _ScaleGradient(torch.autograd.Function):
    """Identity forward, gradient × scale backward (gradient reversal for a negative scale; Ganin & Lempitsky 2015)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, stopped: Tensor | None) -> Tensor:
        ctx.save_for_backward(scale, stopped)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        scale, stopped = ctx.saved_tensors
        scaled = gradients[0] * scale
        # a stopped gradient must be 0, but 0 · inf is nan
        return scaled if stopped is None else scaled.masked_fill(stopped, 0.0), None, None


def ramp(progress: float) -> float:
    """Returns 2/(1 + exp(−10 p)) − 1: from 0 at p = 0 to nearly 1 at p = 1 (Ganin & Lempitsky 2015)."""
    return 2 / (1 + math.exp(-10 * progress)) - 1


class GradientScale:
    """The gradient factors `scales` `[R]` of one edge, one for each run. Some may be ramped."""

    def __init__(self, scales: Sequence[float], ramped: Sequence[bool]) -> None:
        self.scales = torch.tensor(list(scales))
        self.ramped = torch.tensor(list(ramped))
        self.current = self.scales.view(-1, 1, 1)
        self.advance(0.0)
        self.stopped = (self.scales == 0).view(-1, 1, 1) if 0 in scales else None
        # the factor if it is the same for all runs and steps: no operator is needed for 0 and 1
        self.constant = None if bool(self.ramped.any()) or len(set(scales)) > 1 else scales[0]

    def to(self, device: torch.device) -> None:
        self.scales, self.ramped = self.scales.to(device), self.ramped.to(device)
        self.current = self.current.to(device)
        self.stopped = None if self.stopped is None else self.stopped.to(device)

    def advance(self, progress: float) -> None:
        """Sets ramped factors for `progress`, the completed share of the training."""
        if bool(self.ramped.any()):
            self.current = torch.where(self.ramped, self.scales * ramp(progress), self.scales).view(-1, 1, 1)

    def __call__(self, x: Tensor) -> Tensor:
        if self.constant == 1:
            return x
        if self.constant == 0:
            return x.detach()
        return _ScaleGradient.apply(x, self.current, self.stopped)


def dropout_mask(seeds: Sequence[int], step: int, name: str, shape: Sequence[int], rate: float) -> Tensor:
    """Returns masks `[R, *shape]`, 0 or 1/(1 − rate), drawn from (seed, step, layer) for each run.

    Each number takes 16 random bits, four numbers per draw, which takes half the time of drawing floats. So `rate` is
    rounded to a multiple of 2⁻¹⁶.
    """
    size = math.prod(shape)
    bits = torch.empty(len(seeds), -(-size // 4), dtype=torch.int64)
    for row, seed in zip(bits, seeds, strict=True):
        row.random_(-(1 << 63), None, generator=generator(seed, "dropout", name, step))
    bound = min(round(rate * (1 << 16)), (1 << 16) - 1) - (1 << 15)
    kept = bits.view(torch.int16)[:, :size] >= bound
    return kept.view(-1, *shape).float().mul_(1 / (1 - rate))
