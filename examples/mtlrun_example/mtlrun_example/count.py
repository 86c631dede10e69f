"""A task type: how often something happened."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from mtlrun.tasks import TaskType
from mtlrun.tasks.metrics import weighted_mean


def half_deviance(log_rate: Tensor, counts: Tensor) -> Tensor:
    r"""−log likelihood of a Poisson rate less that of the best one: :math:`e^o - y o + y \log y - y`, not below 0."""
    return torch.exp(log_rate) - counts * log_rate + torch.xlogy(counts, counts) - counts


class Count(TaskType):
    """Poisson regression: the output is the log of a rate (Nelder & Wedderburn 1972).

    A Poisson likelihood has no scale to learn: `noise` is that of a classification.
    """

    noise: ClassVar = {"poisson": (1.0, 0.5)}

    @classmethod
    def outputs(cls, classes: int) -> int:
        return 1

    def row_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return half_deviance(outputs.squeeze(-1), labels)

    def estimate(self, outputs: Tensor, task: int) -> Tensor:
        return torch.exp(outputs[:, :, task])

    def label_features(self, labels: Tensor, task: int) -> Tensor:
        return labels.unsqueeze(-1)

    @classmethod
    def constant(cls, labels: np.ndarray, weights: np.ndarray, classes: int) -> np.ndarray:
        return np.log([max(np.average(labels, weights=weights), 1e-6)])

    @classmethod
    def predicted(cls, outputs: np.ndarray, classes: int) -> np.ndarray:
        return np.asarray(np.exp(outputs[:, 0]))

    @classmethod
    def metrics(cls, outputs: Tensor, labels: Tensor, weights: Tensor, scale: Tensor) -> dict[str, Tensor]:
        """`deviance`: the mean of 2 (y log(y/μ) − y + μ), with μ the rate; `mae`: of the rate."""
        log_rate, counts = outputs.squeeze(-1).double(), labels.double()
        return {
            "deviance": weighted_mean(2 * half_deviance(log_rate, counts), weights),
            "mae": weighted_mean((torch.exp(log_rate) - counts).abs(), weights),
        }
