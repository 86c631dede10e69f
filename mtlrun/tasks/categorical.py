"""Categorical classification: one logit per class. Tasks of a block with fewer classes are padded with −∞."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from mtlrun.tasks import metrics
from mtlrun.tasks.base import TaskType
from mtlrun.tasks.declaration import BRIER, Declaration, Loss, Metric
from mtlrun.tasks.trees import Classifier
from mtlrun.util.lazy import np, torch

if TYPE_CHECKING:
    from torch import Tensor


def _shifted(outputs: Tensor) -> Tensor:
    """Logits minus the largest of each row, so that their exponentials are finite.

    For a few classes on a CPU, a softmax computed from this is several times as fast as torch's log_softmax.
    """
    return outputs - outputs.detach().amax(-1, keepdim=True)


class ClassTrees(Classifier):
    """The multi-class cross-entropy of scikit-learn."""

    def outputs(self, raw: np.ndarray, model: Any, classes: int, rows: int) -> np.ndarray:
        """Outputs [N, classes] from raw predictions [N, classes with training rows], or [N] if there are two of them.

        A class without training rows gets the odds of half a row, as in the trivial predictor.
        """
        if raw.ndim == 1:
            raw = np.stack([np.zeros_like(raw), raw], 1)
        largest = raw.max(1, keepdims=True)
        total = largest + np.log(np.exp(raw - largest).sum(1, keepdims=True))
        out: np.ndarray = np.repeat(total + math.log(0.5 / rows), classes, 1)
        out[:, model.classes_] = raw
        return out


class Categorical(TaskType):
    """Cross-entropy of softmax probabilities. Noise: e^(−s) L + ½ s (Kendall et al. 2018, eq. 10).

    `ece` bins the probability of the most probable class and compares it with the accuracy.
    """

    declared: ClassVar = Declaration(
        labels="classes",
        metrics={
            "accuracy": Metric("max", highest=1.0),
            "logloss": Metric("min"),
            "brier": Metric("min", highest=BRIER, listed=False),
            "ece": Metric("min", highest=1.0, listed=False),
        },
        primary="accuracy",
        losses={"cross_entropy": Loss(noise=(1.0, 0.5), boosting=ClassTrees("log_loss"))},
    )

    @classmethod
    def outputs(cls, classes: int) -> int:
        return classes

    def row_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        shifted = _shifted(outputs)  # [R, B, T, K]
        chosen = shifted.gather(-1, labels.long().unsqueeze(-1)).squeeze(-1)
        return shifted.exp().sum(-1).log() - chosen

    def training_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        rows = self.row_losses(outputs, labels)
        if not self.smoothing:
            return rows
        # (1 − s) Σ −log p_y + s/K Σ_k −log p_k differs from −log p_y by s (o_y − the mean of o)
        chosen = outputs.gather(-1, labels.long().unsqueeze(-1)).squeeze(-1)
        counts = torch.tensor(self.classes, device=outputs.device)
        mean = torch.where(outputs > -torch.inf, outputs, 0.0).sum(-1) / counts
        return rows + self.smoothing * (chosen - mean)

    def estimate(self, outputs: Tensor, task: int) -> Tensor:
        odds = _shifted(outputs[:, :, task, : self.classes[task]]).exp()
        return odds / odds.sum(-1, keepdim=True)

    def label_features(self, labels: Tensor, task: int) -> Tensor:
        return torch.nn.functional.one_hot(labels.long(), self.classes[task]).to(labels.dtype)

    def pooled(self, outputs: Tensor) -> Tensor:
        """The logs of the mean probabilities."""
        return torch.logsumexp(outputs.log_softmax(-1), 1) - math.log(outputs.shape[1])

    @classmethod
    def row_scores(cls, outputs: Tensor, labels: Tensor, unit: float) -> dict[str, Tensor]:
        index, probabilities = labels.long(), outputs.softmax(-1)
        hits = (metrics.chosen(outputs) == index).double()
        return {
            "accuracy": hits,
            "logloss": -outputs.log_softmax(-1).gather(-1, index.unsqueeze(-1)).squeeze(-1),
            "brier": metrics.brier(probabilities, index),
            "confidence": probabilities.amax(-1),
            "hit": hits,
        }

    @classmethod
    def metrics(cls, outputs: Tensor, labels: Tensor, weights: Tensor, scale: Tensor) -> dict[str, Tensor]:
        shifted = _shifted(outputs.double())
        odds = shifted.exp()
        total, index = odds.sum(-1, keepdim=True), labels.long()
        probabilities = odds / total
        losses = total.squeeze(-1).log() - shifted.gather(-1, index.unsqueeze(-1)).squeeze(-1)
        hits = (metrics.chosen(shifted) == index).double()
        return {
            "accuracy": metrics.weighted_mean(hits, weights),
            "logloss": metrics.weighted_mean(losses, weights),
            "brier": metrics.weighted_mean(metrics.brier(probabilities, index), weights),
            "ece": metrics.ece(probabilities.amax(-1), hits, weights),
        }
