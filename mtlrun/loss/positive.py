"""Losses that are divided by, or whose logarithm is taken."""

from torch import Tensor

FLOOR = 1e-12  # about what float32 leaves of the squared error of a standardised target


def floored(losses: Tensor) -> Tensor:
    """The losses, `FLOOR` where they are below it: a task at its optimum has a weight that is finite."""
    return losses.clamp_min(FLOOR)
