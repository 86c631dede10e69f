"""The interface of a way of sharing."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from mtlrun.config.schema import ModelConfig
from mtlrun.config.schema.sharing import SharingConfig
from mtlrun.model.trunks import Noise, Trunk


@dataclass(frozen=True)
class Plan:
    """What a scheme is built from, for a stack of R runs.

    configs: its settings, one per run; model: the trunk's; tasks: the T tasks in the order in which features are handed
    out; seeds: of the initial parameters, one per run; inputs: how many numbers an encoded row has; trunk: makes the
    one trunk that the group `model` asks for, whatever it is, for schemes with one
    """

    configs: Sequence[SharingConfig]
    model: ModelConfig
    tasks: Sequence[str]
    seeds: Sequence[int]
    inputs: int
    trunk: Callable[[], Trunk] | None = None


class Sharing(nn.Module, ABC):
    """From the encoded inputs to the features that the tasks' heads read, for a stack of R runs.

    `widths[i]`: the width after layer i; `widths[0]` that of the inputs. Parameters begin with the run axis.
    """

    widths: list[int]
    tasks: Sequence[str] = ()  # in the order in which features are handed out, where each task has its own
    # gradients of all tasks are to be had at once, by `pull_back` (see `Hard`), and not by autograd alone
    pulls_back: ClassVar[bool] = False
    # there are `gates`
    gated: ClassVar[bool] = False

    @abstractmethod
    def forward(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        """Inputs `[R, B, D]` → the features after every layer, the inputs first: `[R, B, H]` where they are the same
        for every task, `[R, T, B, H]` where each has its own."""

    def task_axes(self) -> dict[str, tuple[Sequence[str], int]]:
        """For every parameter, by name, of which each task has a part that no other task's loss reaches (but along
        edges between tasks): the tasks, and the axis along which they stand."""
        return {}

    def shrink(self, rates: Tensor, heads: Sequence[Tensor]) -> None:
        """The proximal step of a penalty on the tasks' own weights, in place, after the optimiser's step.

        rates `[R]`: the trunk's in this step; heads: where the trunk has no layers, the weights of the heads' first
        layers, `[R, T, in, out]`, like heads together, which are penalised in their place. Only called where the scheme
        is `penalised`.
        """

    @property
    def penalised(self) -> bool:
        """Whether `shrink` does anything."""
        return False

    def rate_factors(self) -> Mapping[str, Sequence[float]]:
        """Factors on the trunk's rate, one for each run, of parameters that have them, by name."""
        return {}

    def penalty_figures(self, heads: Sequence[Tensor]) -> dict[str, Tensor]:
        """What is to be logged of weights that are penalised, `[R]` by metric; `heads` as in `shrink`."""
        return {}

    def gates(self, x: Tensor) -> dict[str, Tensor]:
        """By name, the shares with which tasks read experts, `[R, T, B]` for inputs `[R, B, D]`, or `[R, B]` where the
        reader is no task; a metric each. None where there are no gates."""
        return {}

    def describe(self) -> str:
        """What it is made of, for `mtlrun check`; nothing where there is one trunk."""
        return ""

    def figures(self) -> dict[str, Tensor]:
        """What is to be logged of it at an evaluation, by metric: `[R]`, or `[R, T]` with a number for each task."""
        return {}
