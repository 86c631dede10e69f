"""What a task's loss holds constant (`graph.constants`), of tensors."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

PARAMETERS = ("trunk.", "heads.")  # where their names begin


class Constants:
    """Tensors of the forward pass, by name (layer1, …, and a task for its estimate), behind which some losses move
    nothing. What is held of parameters is a matter of `PerTaskBackward`.

    going_back: the task whose loss goes back now, as `PerTaskBackward` says; empty for all at once
    """

    def __init__(self, constants: Mapping[str, Sequence[str]]) -> None:
        """constants: the names by task, those of parameters (trunk, heads.TASK) among them."""
        self.going_back = ""
        self.holders: dict[str, set[str]] = {}  # the tasks whose losses hold a tensor constant
        for task, names in constants.items():
            for name in names:
                if not f"{name}.".startswith(PARAMETERS):
                    self.holders.setdefault(name, set()).add(task)

    def hold(self, name: str, tensor: Tensor | None, part: int | None = None) -> None:
        """Have no gradient of a loss that holds it constant come through a tensor; `part`: that one along its axis of
        tasks, `[R, B, T, …]`."""
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
