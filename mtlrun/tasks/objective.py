"""Objectives: instead of a head, a function of the point of model=point. The loss is its value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from mtlrun.tasks import metrics, toy_objectives
from mtlrun.tasks.base import TaskType
from mtlrun.tasks.declaration import Declaration, Loss, Metric

if TYPE_CHECKING:
    from torch import Tensor, nn


class Objective(TaskType):
    """One output, the value of the function. It may be below 0.

    There are no labels and no likelihood. `noise` is that of a classification, because a strategy that learns a scale
    needs one.
    """

    declared: ClassVar = Declaration(
        labels="none",
        metrics={"value": Metric("min", lowest=-math.inf)},
        primary="value",
        losses={"value": Loss(noise=(1.0, 0.5))},
        without=(
            "expression",
            "bins",
            "smooth",
            "positive",
            "class_weights",
            "shuffle",
            "train_labels",
            "train_rows_of",
        ),
        because="an objective has none, as it has no labels",
        functions=tuple(toy_objectives.OBJECTIVES),
    )

    @classmethod
    def outputs(cls, classes: int) -> int:
        return 1

    @classmethod
    def head_function(cls, objectives: Sequence[str], scales: Sequence[float]) -> nn.Module:
        from mtlrun.tasks.toy_function import ToyFunction  # imports torch

        return ToyFunction(objectives, scales)

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
        """`value` is the mean over the rows, which are all equal."""
        return {"value": metrics.weighted_mean(outputs[..., 0], weights)}
