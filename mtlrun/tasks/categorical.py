"""Categorical classification: one logit per class; tasks with fewer classes are padded with −∞."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mtlrun.tasks import metrics
from mtlrun.tasks.base import TaskType
from mtlrun.util.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


def _shifted(outputs: Tensor) -> Tensor:
    """Logits less the largest of each row, so that their exponentials are finite.

    What is made of it by hand is, for a few classes on a CPU, several times as fast as torch's log_softmax.
    """
    return outputs - outputs.detach().amax(-1, keepdim=True)


class Categorical(TaskType):
    """Cross-entropy of softmax probabilities. Noise: e^(−s) L + ½ s (Kendall et al. 2018, eq. 10)."""

    noise: ClassVar = {"cross_entropy": (1.0, 0.5)}

    @classmethod
    def outputs(cls, classes: int) -> int:
        return classes

    def row_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        shifted = _shifted(outputs)  # [R, B, T, K]
        chosen = shifted.gather(-1, labels.long().unsqueeze(-1)).squeeze(-1)
        return shifted.exp().sum(-1).log() - chosen

    def estimate(self, outputs: Tensor, task: int) -> Tensor:
        odds = _shifted(outputs[:, :, task, : self.classes[task]]).exp()
        return odds / odds.sum(-1, keepdim=True)

    def label_features(self, labels: Tensor, task: int) -> Tensor:
        return torch.nn.functional.one_hot(labels.long(), self.classes[task]).to(labels.dtype)

    @classmethod
    def metrics(cls, outputs: Tensor, labels: Tensor, weights: Tensor, scale: Tensor) -> dict[str, Tensor]:
        shifted = _shifted(outputs.double())
        logs = shifted - shifted.exp().sum(-1, keepdim=True).log()
        index = labels.long().unsqueeze(-1)
        return {
            "accuracy": metrics.weighted_mean(outputs.argmax(-1) == labels.long(), weights),
            "logloss": metrics.weighted_mean(-logs.gather(-1, index).squeeze(-1), weights),
        }
