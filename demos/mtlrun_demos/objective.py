"""Objectives: a function of the trunk's features is in place of a head, and its value is the loss."""

from collections.abc import Sequence

from torch import Tensor, nn

from mtlrun.tasks import TaskType, metrics
from mtlrun_demos.toy_function import ToyFunction


class Objective(TaskType):
    """One output, the value of the function, which may be below 0. There are no labels and no likelihood."""

    @classmethod
    def outputs(cls, classes: int) -> int:
        return 1

    @classmethod
    def head_function(cls, functions: Sequence[str], scales: Sequence[float]) -> nn.Module:
        return ToyFunction(functions, scales)

    def row_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return outputs.squeeze(-1)

    def estimate(self, outputs: Tensor, task: int) -> Tensor:
        return outputs[:, :, task]

    def label_features(self, labels: Tensor, task: int) -> Tensor:
        return labels.unsqueeze(-1)

    @classmethod
    def row_scores(cls, outputs: Tensor, labels: Tensor, unit: float) -> dict[str, Tensor]:
        return {"value": outputs[:, 0]}

    @classmethod
    def metrics(cls, outputs: Tensor, labels: Tensor, weights: Tensor, scale: Tensor) -> dict[str, Tensor]:
        """`value`: the mean over rows, which are all the same."""
        return {"value": metrics.weighted_mean(outputs[..., 0], weights)}
