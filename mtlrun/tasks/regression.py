"""Regression: one output per task, in the unit of its (standardised) labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from mtlrun.tasks import metrics
from mtlrun.tasks.base import TaskType
from mtlrun.tasks.declaration import Declaration, Loss, Metric
from mtlrun.tasks.trees import Regressor

if TYPE_CHECKING:
    from torch import Tensor


class Regression(TaskType):
    r"""Squared, absolute or Huber error.

    mse has a Gaussian likelihood: ½e^(−s) L + ½ s, with s = log σ². huber has the same likelihood; as it is ½e² for
    small errors, the formula is e^(−s) L + ½ s. l1 has a Laplace likelihood: L/b + log b, with s = log b.
    """

    declared: ClassVar = Declaration(
        labels="numbers",
        metrics={
            "mse": Metric("min", unit_power=2, listed=False),
            "rmse": Metric("min", unit_power=1),
            "mae": Metric("min", unit_power=1),
            "r2": Metric("max", lowest=-math.inf, highest=1.0, needs_variation=True),
        },
        primary="rmse",
        losses={
            "mse": Loss(noise=(0.5, 0.5), boosting=Regressor("squared_error", factor=2.0)),  # scikit-learn: ½e²
            "l1": Loss(noise=(1.0, 1.0), boosting=Regressor("absolute_error")),
            "huber": Loss(noise=(1.0, 0.5)),
        },
        standardised=True,
        averages=True,
    )

    @classmethod
    def outputs(cls, classes: int) -> int:
        return 1

    def row_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        errors = outputs.squeeze(-1) - labels  # [R, B, T]
        if self.loss == "mse":
            return errors.square()
        if self.loss == "l1":
            return errors.abs()
        # Huber 1964: ½e² for |e| ≤ delta, else delta(|e| − ½delta); delta differs between tasks
        delta = self.deltas = self.deltas.to(errors)
        inside = errors.abs().clamp(max=delta)
        return inside * (errors.abs() - 0.5 * inside)

    def estimate(self, outputs: Tensor, task: int) -> Tensor:
        return outputs[:, :, task]

    def label_features(self, labels: Tensor, task: int) -> Tensor:
        return labels.unsqueeze(-1)

    @classmethod
    def row_scores(cls, outputs: Tensor, labels: Tensor, unit: float) -> dict[str, Tensor]:
        return {"label": labels * unit, "error": (outputs[:, 0] - labels) * unit}

    @classmethod
    def metrics(cls, outputs: Tensor, labels: Tensor, weights: Tensor, scale: Tensor) -> dict[str, Tensor]:
        errors = (outputs.squeeze(-1).double() - labels.double()) * scale.unsqueeze(-1)
        mse = metrics.weighted_mean(errors.square(), weights)
        return {
            "mse": mse,
            "rmse": mse.sqrt(),
            "mae": metrics.weighted_mean(errors.abs(), weights),
            "r2": metrics.r2(errors, labels.double() * scale.unsqueeze(-1), weights),
        }
