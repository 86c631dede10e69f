"""Binary classification: one logit per task."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mtlrun.tasks import metrics
from mtlrun.tasks.base import TaskType
from mtlrun.tasks.declaration import BRIER, Declaration, Loss, Metric
from mtlrun.tasks.trees import Classifier
from mtlrun.util.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


class Binary(TaskType):
    """Cross-entropy of a logit. The noise is that of every classification loss: e^(−s) L + ½ s.

    `brier` is (p − y)², p the probability of the second class. `ece` bins p and compares it with that class's share.
    """

    declared: ClassVar = Declaration(
        labels="two classes",
        metrics={
            "accuracy": Metric("max", highest=1.0),
            "auroc": Metric("max", highest=1.0, needs_variation=True),
            "auprc": Metric("max", highest=1.0, needs_variation=True),
            "logloss": Metric("min"),
            "brier": Metric("min", highest=BRIER, listed=False),
            "ece": Metric("min", highest=1.0, listed=False),
        },
        primary="auroc",
        losses={"cross_entropy": Loss(noise=(1.0, 0.5), boosting=Classifier("log_loss"))},
    )

    @classmethod
    def outputs(cls, classes: int) -> int:
        return 1

    def row_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return torch.nn.functional.binary_cross_entropy_with_logits(outputs.squeeze(-1), labels, reduction="none")

    def training_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        smooth = labels * (1 - self.smoothing) + self.smoothing / 2 if self.smoothing else labels
        return self.row_losses(outputs, smooth)

    def estimate(self, outputs: Tensor, task: int) -> Tensor:
        return torch.sigmoid(outputs[:, :, task])

    def label_features(self, labels: Tensor, task: int) -> Tensor:
        return labels.unsqueeze(-1)

    def pooled(self, outputs: Tensor) -> Tensor:
        """The logit of the mean probability."""
        softplus = torch.nn.functional.softplus  # −log of a probability
        return torch.logsumexp(-softplus(-outputs), 1) - torch.logsumexp(-softplus(outputs), 1)

    @classmethod
    def row_scores(cls, outputs: Tensor, labels: Tensor, unit: float) -> dict[str, Tensor]:
        logits = outputs[:, 0]
        probabilities = logits.sigmoid()
        return {
            "label": labels,
            "score": metrics.with_ties(logits),
            "accuracy": ((logits > metrics.ROUNDING) == (labels > 0.5)).double(),
            "logloss": torch.nn.functional.softplus(logits) - logits * labels,
            "brier": (probabilities - labels).square(),
            "confidence": probabilities,
            "hit": labels,
        }

    @classmethod
    def metrics(cls, outputs: Tensor, labels: Tensor, weights: Tensor, scale: Tensor) -> dict[str, Tensor]:
        logits = outputs.squeeze(-1).double()
        probabilities = logits.sigmoid()
        return {
            "accuracy": metrics.weighted_mean((logits > metrics.ROUNDING) == (labels > 0.5), weights),
            "auroc": metrics.auroc(logits, labels, weights),
            "auprc": metrics.auprc(logits, labels, weights),
            "logloss": metrics.weighted_mean(torch.nn.functional.softplus(logits) - logits * labels, weights),
            "brier": metrics.weighted_mean((probabilities - labels).square(), weights),
            "ece": metrics.ece(probabilities, labels, weights),
        }
