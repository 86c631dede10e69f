"""The interface of a sharing scheme."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from mtlrun.config.schema import ModelConfig
from mtlrun.config.schema.sharing import SharingConfig
from mtlrun.model.trunks import Factors, Noise, Trunk


@dataclass(frozen=True)
class Plan:
    """Arguments from which a scheme is built, for a stack of R runs.

    configs: settings of the scheme, one per run; model: settings of the trunk; tasks: the T tasks, in the order of the
    features; seeds: of the initial parameters, one per run; inputs: width of an encoded row; trunk: makes the trunk of
    the group `model`, for schemes that use it as it is
    """

    configs: Sequence[SharingConfig]
    model: ModelConfig
    tasks: Sequence[str]
    seeds: Sequence[int]
    inputs: int
    trunk: Callable[[], Trunk] | None = None


class Sharing(nn.Module, ABC):
    """Computes the features that the tasks' heads read from the encoded inputs, for a stack of R runs.

    `widths[i]`: the width after layer i; `widths[0]` that of the inputs. Parameters begin with the run axis.
    members: k of a trunk that is an ensemble, see `Trunk`; features then have k·B rows
    """

    widths: list[int]
    members: int = 1
    tasks: Sequence[str] = ()  # in the order of the features, if not all tasks have the same
    # whether it has `gates`
    gated: ClassVar[bool] = False

    @abstractmethod
    def forward(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        """Inputs `[R, B, D]` → the features after every layer, the inputs first.

        `[R, B, H]` if all tasks have the same features, `[R, T, B, H]` if each task has its own, `[R, G, B, H]` if
        groups of tasks have theirs (see `parts`).
        """

    @property
    def parts(self) -> Mapping[str, int]:
        """Returns the place of each task along axis 1 of the features; empty if all tasks have the same features."""
        return {task: place for place, task in enumerate(self.tasks)}

    def task_axes(self) -> dict[str, tuple[Sequence[str], int]]:
        """Returns the tasks and their axis, by name of a parameter that has a separate part for each task.

        No other task's loss reaches such a part, except along edges between tasks.
        """
        return {}

    def shrink(self, rates: Tensor, heads: Sequence[Tensor]) -> None:
        """Takes the proximal step of a penalty on the tasks' weights, in place, after the optimiser's step.

        Only called if the scheme is `penalised`. rates: of the trunk in this step, `[R]`; heads: if the trunk has no
        layers, weights `[R, T, in, out]` of the heads' first layers, which are penalised instead; heads of the same
        shape are joined.
        """

    @property
    def penalised(self) -> bool:
        """Whether `shrink` does anything."""
        return False

    def rate_factors(self) -> Mapping[str, Sequence[float]]:
        """Returns factors on the trunk's rate, one for each run, by name of the parameters that have them."""
        return {}

    def penalty_figures(self, heads: Sequence[Tensor]) -> dict[str, Tensor]:
        """Returns metrics `[R]` of the penalised weights; `heads` as in `shrink`."""
        return {}

    def gates(self, x: Tensor) -> dict[str, Tensor]:
        """Returns the gate values by name, each a metric: the weight of an expert in what a task reads.

        `[R, T, B]` for inputs `[R, B, D]`, or `[R, B]` for a gate that belongs to no task. Empty without gates.
        """
        return {}

    def describe(self) -> str:
        """Describes its parts for `mtlrun check`; empty for a single trunk."""
        return ""

    def figures(self) -> dict[str, Tensor]:
        """Returns metrics to log at an evaluation: `[R]`, or `[R, T]` with a number for each task."""
        return {}


class PulledBack(Sharing):
    """A scheme made of trunks that compute the gradients of all tasks at once, without autograd."""

    @abstractmethod
    def forward(self, x: Tensor, noise: Noise | None = None, tape: list[Any] | None = None) -> list[Tensor]:
        """As `Sharing.forward`; fills `tape` with what `pull_back` needs."""

    @abstractmethod
    def pull_back(
        self,
        tape: Sequence[Any],
        tasks: Sequence[str],
        gradients: Mapping[int, Tensor],
        out: Tensor,
        factors: list[Factors] | None = None,
    ) -> None:
        """Computes gradients `[R, T, S]` of the shared parameters, as `Trunk.pull_back`.

        tasks: the T tasks in the order of `gradients`, which are `[R, T, B, H]` by layer
        """
