"""Labels of a batch, and the statistics that standardise estimates."""

from dataclasses import dataclass

from torch import Tensor


def repeated(rows: Tensor, members: int) -> Tensor:
    """Returns rows `[R, B, ...]` for each of k members, `[R, k·B, ...]`."""
    return rows if members == 1 else rows.repeat(1, members, *[1] * (rows.dim() - 2))


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

    def of_members(self, members: int) -> "Targets":
        """Returns them for each of k members, `[R, k·B, T]`. A mean over the batch is then the mean over members."""
        if members == 1:
            return self
        weights = None if self.weights is None else repeated(self.weights / members, members)
        observed = None if self.observed is None else repeated(self.observed, members)
        return Targets(repeated(self.labels, members), weights, observed, self.present)


@dataclass(frozen=True)
class LabelStatistics:
    """Mean and 1/std `[R, T]` of the training labels of all tasks, if labels are in raw units."""

    mean: Tensor
    inverse: Tensor
