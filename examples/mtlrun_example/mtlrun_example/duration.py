"""A task type: how long something took."""

import numpy as np
import torch
from torch import Tensor

from mtlrun.tasks import TaskType
from mtlrun.tasks.metrics import weighted_mean


class Duration(TaskType):
    """A log-normal time: the output o is the log of the median, and L = (o − log y)²."""

    @classmethod
    def outputs(cls, classes: int) -> int:
        return 1

    def row_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        # a row without a label holds 0, and its loss counts for nothing
        return (outputs.squeeze(-1) - torch.log(labels.clamp_min(1e-12))).square()

    def estimate(self, outputs: Tensor, task: int) -> Tensor:
        return outputs[:, :, task]

    def label_features(self, labels: Tensor, task: int) -> Tensor:
        return torch.log(labels.clamp_min(1e-12)).unsqueeze(-1)

    @classmethod
    def constant(cls, labels: np.ndarray, weights: np.ndarray, classes: int) -> np.ndarray:
        return super().constant(np.log(labels), weights, classes)

    @classmethod
    def predicted(cls, outputs: np.ndarray, classes: int) -> np.ndarray:
        return np.asarray(np.exp(outputs[:, 0]))

    @classmethod
    def metrics(cls, outputs: Tensor, labels: Tensor, weights: Tensor, scale: Tensor) -> dict[str, Tensor]:
        """`log_rmse`: of the logarithm; `mae`: of the median."""
        logs, times = outputs.squeeze(-1).double(), labels.double()
        return {
            "log_rmse": weighted_mean((logs - times.clamp_min(1e-12).log()).square(), weights).sqrt(),
            "mae": weighted_mean((logs.exp() - times).abs(), weights),
        }
