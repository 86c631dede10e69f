"""Parts that several strategies use: softmax, a floor for losses, mean losses of an epoch, random numbers."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mtlrun.loss.base import StepInputs, StrategySetup
from mtlrun.model.layers import generator

FLOOR = 1e-12  # about the least squared error of a standardised target that float32 tells from 0
BLOCK = 256  # draws the random numbers of 256 steps at once: a generator costs more than its numbers


def softmax(z: Tensor, present: Tensor | None) -> Tensor:
    """Returns the softmax of `[R, T]` over the tasks that are `present` (None: all), and 0 for the others."""
    if present is None:
        return torch.softmax(z, 1)
    # a softmax over no task is nan
    return torch.softmax(z.masked_fill(~present, -torch.inf), 1).masked_fill(~present, 0.0)


def floored(losses: Tensor) -> Tensor:
    """Returns the losses, at least `FLOOR`, so that a task at its optimum has a finite weight."""
    return losses.clamp_min(FLOOR)


def beyond_rounding(differences: Tensor, sizes: Tensor) -> Tensor:
    """Returns the differences, 0 where they are rounding: at most 4 units in the last place of numbers of `sizes`.

    An optimiser such as Adam divides a gradient by its size. It would turn a gradient that is only rounding into
    a whole step.
    """
    return torch.where(differences.abs() <= 4 * torch.finfo(differences.dtype).eps * sizes, 0.0, differences)


class EpochMeans(nn.Module):
    """Each task's mean loss over the batches of an epoch that have its labels. A checkpoint contains its state.

    Steps are counted from 0 and every epoch has the same number of them, so the step determines the epoch.
    """

    sums: Tensor
    batches: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__()
        self.steps = setup.epoch_steps
        shape = [len(setup.configs), len(setup.tasks)]
        self.register_buffer("sums", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("batches", torch.zeros(shape))

    def add(self, inputs: StepInputs) -> None:
        """Adds the losses of a step. Losses of tasks without a label are 0."""
        self.sums.add_(inputs.losses)
        self.batches.add_(1 if inputs.present is None else inputs.present)

    def is_over(self, step: int) -> bool:
        """Returns whether this step is the first after an epoch."""
        return step > 0 and step % self.steps == 0

    def take(self) -> tuple[Tensor, Tensor]:
        """Returns the means `[R, T]` and which tasks have one, then resets both."""
        means, known = (self.sums / self.batches.clamp_min(1)).to(self.batches), self.batches > 0
        self.sums.zero_()
        self.batches.zero_()
        return means, known


class Stream:
    """Random numbers for every run and step. They depend only on (seed, purpose, step), so a resumed run is exact."""

    def __init__(
        self, setup: StrategySetup, purpose: str, shape: Sequence[int], draw: Callable[..., Tensor] = torch.randn
    ) -> None:
        """`draw`: a function of torch with `size` and `generator`, randn or rand; `shape`: of one run and step."""
        self.seeds, self.purpose, self.shape, self.draw = list(setup.seeds), purpose, list(shape), draw
        self.block, self.drawn = -1, torch.empty(0)

    def __call__(self, step: int, like: Tensor) -> Tensor:
        """Returns the numbers `[R, *shape]` of a step, with dtype and device of `like`."""
        block, at = divmod(step, BLOCK)
        if block != self.block:
            size = [BLOCK, *self.shape]
            drawn = [self.draw(size, generator=generator(seed, self.purpose, block)) for seed in self.seeds]
            self.block, self.drawn = block, torch.stack(drawn, 1).to(like)  # [BLOCK, R, *shape]
        return self.drawn[at]
