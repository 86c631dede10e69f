"""The interface of a loss strategy."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn


class Strategy(nn.Module, ABC):
    """Weights of the task losses, for a stack of R runs with T tasks each.

    Learnt parameters are `nn.Parameter`s `[R, T]`; they are trained at the rates `rates` `[R]` by the
    run's own optimiser, from the gradients that `gradients` returns. State goes into persistent buffers
    `[R, …]`, so that it is part of every checkpoint; constants into buffers that are not persistent.
    """

    def __init__(self, configs: Sequence[Any], tasks: Sequence[str], noise: Sequence[tuple[float, float]]) -> None:
        """`configs`: one per run. `tasks`: in the order of the losses. `noise`: (a, c) of each task's likelihood."""
        super().__init__()
        self.configs, self.tasks, self.noise = list(configs), list(tasks), list(noise)

    @abstractmethod
    def weights(self, losses: Tensor, present: Tensor | None) -> Tensor:
        """Weights `[R, T]` of this step, constants as far as the network is concerned.

        losses `[R, T]`, detached; present `[R, T]` says which tasks have a label in the batch (None: all).
        """

    def rates(self) -> list[float]:
        """The learning rate of the strategy's own parameters, for each run."""
        return [0.0] * len(self.configs)

    def gradients(self, losses: Tensor, weights: Tensor, present: Tensor | None) -> list[Tensor]:
        """Gradients of the strategy's own parameters, in the order of `parameters()`."""
        return []

    def saved_name(self, name: str) -> str:
        """What a parameter or buffer is called in a checkpoint: the same where a stack mixes strategies."""
        return f"{type(self).__name__}.{name}"

    def state(self) -> dict[str, Tensor]:
        """The persistent buffers, by their name in a checkpoint."""
        learnt = dict(self.named_parameters())
        return {self.saved_name(name): value for name, value in self.state_dict().items() if name not in learnt}
