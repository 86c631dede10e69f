"""Holds tensors constant for a task's loss (`graph.constants`)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

PARAMETERS = ("trunk.", "heads.")  # prefixes of their names


class Constants:
    """Stops gradients of some losses at tensors of the forward pass, by name: layer1, …, or a task for its estimate.

    `PerTaskBackward` handles parameters that are held constant.

    going_back: the task whose loss goes back now, set by `PerTaskBackward`; empty for all losses at once
    """

    def __init__(self, constants: Mapping[str, Sequence[str]]) -> None:
        """constants: names by task, including those of parameters (trunk, heads.TASK)."""
        self.going_back = ""
        self.holders: dict[str, set[str]] = {}  # the tasks whose losses hold a tensor constant
        for task, names in constants.items():
            for name in names:
                if not f"{name}.".startswith(PARAMETERS):
                    self.holders.setdefault(name, set()).add(task)

    def hold(self, name: str, tensor: Tensor | None, part: int | None = None) -> None:
        """Stops gradients of losses that hold it constant. `part`: only this place along T of `[R, B, T, …]`."""
        holders = self.holders.get(name)
        if holders is None or tensor is None or not tensor.requires_grad:
            return

        def stop(gradient: Tensor) -> Tensor | None:
            if self.going_back not in holders:
                return None
            if part is None:
                return torch.zeros_like(gradient)
            rest = gradient.clone()
            rest[:, :, part] = 0
            return rest

        tensor.register_hook(stop)
