"""Categorical classification: one logit per class; tasks with fewer classes are padded with −∞."""

from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from mtlrun.tasks import metrics
from mtlrun.tasks.base import TaskType


class Categorical(TaskType):
    """Cross-entropy of softmax probabilities. Noise: e^(−s) L + ½ s (Kendall et al. 2018, eq. 10)."""

    noise: ClassVar = {"cross_entropy": (1.0, 0.5)}

    @classmethod
    def outputs(cls, classes: int) -> int:
        return classes

    def row_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        logs = outputs.log_softmax(-1)  # [R, B, T, K]
        return -logs.gather(-1, labels.long().unsqueeze(-1)).squeeze(-1)

    def estimate(self, outputs: Tensor, task: int) -> Tensor:
        return outputs[:, :, task, : self.classes[task]].softmax(-1)

    def label_features(self, labels: Tensor, task: int) -> Tensor:
        return F.one_hot(labels.long(), self.classes[task]).to(labels.dtype)

    @classmethod
    def metrics(cls, outputs: Tensor, labels: Tensor, weights: Tensor, scale: Tensor) -> dict[str, Tensor]:
        logs = outputs.double().log_softmax(-1)
        index = labels.long().unsqueeze(-1)
        return {
            "accuracy": metrics.weighted_mean(outputs.argmax(-1) == labels.long(), weights),
            "logloss": metrics.weighted_mean(-logs.gather(-1, index).squeeze(-1), weights),
        }
