"""Losses, weights and checks of the steps since the last evaluation."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mtlrun.engine.guard import ALL_FINITE


@dataclass(frozen=True)
class Past:
    """Tensors of n steps: `losses`, `weights` and `present` `[n, R, T]`, and `Guard.nonfinite` `[n, R]`."""

    losses: Tensor
    weights: Tensor
    present: Tensor
    nonfinite: Tensor

    def __len__(self) -> int:
        """The number of steps."""
        return len(self.losses)


NAMES = {"loss": "losses", "weight": "weights", "present": "present", "odd": "nonfinite"}  # in a checkpoint -> here


class History:
    """Collects the tensors of the steps since the last evaluation."""

    def __init__(self, past: Past | None = None) -> None:
        self._past = past
        self._pending: list[tuple[Tensor, Tensor, Tensor | None, Tensor | None]] = []

    def add(self, losses: Tensor, weights: Tensor, present: Tensor | None, nonfinite: Tensor | None) -> None:
        """Keeps the tensors of one step, `[R, T]` and `nonfinite` `[R]`. Computes nothing."""
        self._pending.append((losses, weights, present, nonfinite))

    def __bool__(self) -> bool:
        """Returns whether a step was taken since the last evaluation."""
        return bool(self._pending or self._past)

    def past(self) -> Past:
        """Returns all steps since the last evaluation. There must be at least one."""
        if self._pending:
            losses = torch.stack([step[0] for step in self._pending])
            weights = torch.stack([step[1] for step in self._pending])
            everywhere = torch.ones_like(losses[0], dtype=torch.bool)
            present = torch.stack([everywhere if step[2] is None else step[2] for step in self._pending])
            finite = torch.full_like(losses[0, :, 0], ALL_FINITE, dtype=torch.long)
            nonfinite = torch.stack([finite if step[3] is None else step[3] for step in self._pending])
            new = Past(losses, weights, present, nonfinite)
            if self._past is not None:
                new = Past(*(torch.cat([getattr(part, name) for part in (self._past, new)]) for name in NAMES.values()))
            self._past, self._pending = new, []
        assert self._past is not None, "there is a step"
        return self._past

    def tree(self) -> dict[str, Tensor]:
        """Returns the history as a checkpoint holds it; empty without a step."""
        return {name: getattr(self.past(), here) for name, here in NAMES.items()} if self else {}

    @classmethod
    def from_tree(cls, tree: dict[str, Tensor], device: torch.device) -> "History":
        """Returns the history that a checkpoint holds."""
        if not tree:
            return cls()
        tensors = {NAMES[name]: value.to(device) for name, value in tree.items() if name in NAMES}
        if "nonfinite" not in tensors:  # a checkpoint of a version without this check
            tensors["nonfinite"] = torch.full_like(tensors["losses"][..., 0], ALL_FINITE, dtype=torch.long)
        return cls(Past(**tensors))
