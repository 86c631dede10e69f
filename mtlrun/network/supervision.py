"""What is known of labels: those of a batch, and the statistics by which estimates are standardised."""

from dataclasses import dataclass

from torch import Tensor


@dataclass
class Targets:
    """What the losses of a batch need, tasks in the order of `Network.tasks`.

    labels `[R, B, T]`; `weights` `[R, B, T]` sum to 1 over the batch where a task has labels (None: every
    row counts the same); `observed` `[R, B, T]` (None: all); `present` `[R, T]`: has the task any label here?
    """

    labels: Tensor
    weights: Tensor | None = None
    observed: Tensor | None = None
    present: Tensor | None = None


@dataclass(frozen=True)
class LabelStatistics:
    """Mean and 1/spread `[R, T]` of the training labels of all tasks, where labels are in raw units."""

    mean: Tensor
    inverse: Tensor
