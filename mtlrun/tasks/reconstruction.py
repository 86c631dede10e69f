"""Reconstruction of the inputs of the run: an auxiliary task that needs no labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from mtlrun.tasks import metrics
from mtlrun.tasks.base import TaskType
from mtlrun.tasks.declaration import Declaration, Loss, Metric
from mtlrun.util.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


class Reconstruction(TaskType):
    r"""D outputs, one per encoded input. The loss of a row is the mean of the D squared errors.

    This is the loss of an auto-encoder as an auxiliary task (Le, Patterson & White 2018). The noise is Gaussian, with
    one scale for all inputs. Its log-likelihood divided by D is ½e^(−s) L + ½ s, as for the mse of a regression.
    """

    declared: ClassVar = Declaration(
        labels="inputs",
        metrics={"mse": Metric("min", listed=False), "r2": Metric("max", lowest=-math.inf, highest=1.0)},
        primary="mse",
        losses={"mse": Loss(noise=(0.5, 0.5))},
        roles=("auxiliary",),
        without=("target", "expression", "bins", "smooth", "positive", "class_weights", "shuffle"),
        because="a reconstruction has none, its target are the run's inputs",
    )
    reads_inputs: ClassVar = True

    @classmethod
    def outputs(cls, classes: int) -> int:
        return classes

    def row_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return (outputs - labels.unsqueeze(2)).square().mean(-1)

    def estimate(self, outputs: Tensor, task: int) -> Tensor:
        return outputs[:, :, task]

    def label_features(self, labels: Tensor, task: int) -> Tensor:
        return labels

    @classmethod
    def metrics(cls, outputs: Tensor, labels: Tensor, weights: Tensor, scale: Tensor) -> dict[str, Tensor]:
        """`mse` and `r2` over all rows and inputs: r² = 1 − Σ w e² / Σ w (x − x̄)², with x̄ the mean of each input.

        outputs `[R, N, 1]` are the row losses. labels `[R, N]` are the variance of the inputs over the rows, averaged
        over the D inputs, and so the same in each row. Passing outputs and inputs would take D times the memory.
        """
        mse = metrics.weighted_mean(outputs[..., 0], weights)
        variance = metrics.weighted_mean(labels, weights)
        return {"mse": mse, "r2": torch.where(variance > 0, 1 - mse / variance, torch.nan)}
