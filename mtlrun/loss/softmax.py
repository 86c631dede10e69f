"""Softmax over the tasks that have a label."""

import torch
from torch import Tensor


def softmax(z: Tensor, present: Tensor | None) -> Tensor:
    """Of numbers `[R, T]`, over the tasks that are `present` (None: all); 0 for the others."""
    if present is None:
        return torch.softmax(z, 1)
    # a softmax over nothing is nan
    return torch.softmax(z.masked_fill(~present, -torch.inf), 1).masked_fill(~present, 0.0)
