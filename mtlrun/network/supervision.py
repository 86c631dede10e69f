"""Labels of a batch, and the statistics that standardise estimates."""

from dataclasses import dataclass

from torch import Tensor


@dataclass
class Targets:
    """Labels of a batch, tasks in the order of `Network.tasks`.

    labels: `[R, B, T]`; weights: `[R, B, T]`, sum to 1 over the batch if a task has labels (None: all equal); observed:
    `[R, B, T]`, which labels exist (None: all); present: `[R, T]`, which tasks have a label in the batch (None: all)
    """

    labels: Tensor
    weights: Tensor | None = None
    observed: Tensor | None = None
    present: Tensor | None = None


@dataclass(frozen=True)
class LabelStatistics:
    """Mean and 1/std `[R, T]` of the training labels of all tasks, if labels are in raw units."""

    mean: Tensor
    inverse: Tensor
