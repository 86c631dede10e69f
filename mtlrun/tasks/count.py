"""Counts: whole numbers from 0. The exponential of the output is the expected count."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from mtlrun.tasks import metrics
from mtlrun.tasks.base import OnnxGraph, TaskType
from mtlrun.tasks.declaration import Declaration, Loss, Metric
from mtlrun.tasks.trees import Regressor
from mtlrun.util.lazy import np, torch

if TYPE_CHECKING:
    from torch import Tensor


def whole_from_zero(labels: np.ndarray) -> np.ndarray:
    """Mask [N] of the labels [N] that are counts."""
    mask: np.ndarray = (labels >= 0) & (labels == np.floor(labels))
    return mask


def half_deviance(outputs: Tensor, labels: Tensor) -> Tensor:
    """Half the deviance of counts y from rates exp(o). Both tensors have the same shape, which may be any.

    Computed as y (exp(r) − 1 − r) with r = o − log y. The sum of the usual terms would lose digits for large counts.
    """
    ratio = outputs - labels.clamp_min(1).log()
    return torch.where(labels > 0, labels * (torch.expm1(ratio) - ratio), torch.exp(outputs))


class CountTrees(Regressor):
    """The Poisson loss of scikit-learn. Its predictions are expected counts; its loss omits the terms in the labels
    alone."""

    def can_score(self, labels: np.ndarray) -> bool:
        return bool(labels.sum() > 0)  # it refuses labels that are all 0

    def outputs(self, raw: np.ndarray, model: Any, classes: int, rows: int) -> np.ndarray:
        return np.log(raw)[:, None]

    def train_losses(self, model: Any, labels: np.ndarray, weights: np.ndarray | None) -> list[float]:
        left_out = float(np.average(labels * np.log(np.maximum(labels, 1)) - labels, weights=weights))
        return [loss + left_out for loss in super().train_losses(model, labels, weights)]


class Count(TaskType):
    r"""Poisson regression with a log link (Nelder & Wedderburn 1972): the output o is the log of the expected count.

    .. math:: L = e^o - y\, o + y \log y - y

    is half the deviance: the negative log-likelihood minus that of the best rate :math:`e^o = y`. The terms in y alone
    change no gradient. With them L is never below 0, which skill and several loss strategies need.

    A Poisson likelihood has no free scale. Counts that vary more have a dispersion φ, and the quasi-likelihood divides
    the deviance by φ (McCullagh & Nelder 1989, ch. 9). The extended quasi-likelihood (Nelder & Pregibon 1987) learns φ
    too: :math:`L/φ + ½ \log φ`, that is e^(−s) L + ½ s with s = log φ. The optimum is φ = 2 L, the mean deviance. A
    regression has the same form: half the deviance of a Gaussian likelihood is ½e².

    An edge passes on o, because the count has no upper bound. An observed label y is passed on as log(y + ½); its mean
    differs from o by terms of order e^(−2o).
    """

    declared: ClassVar = Declaration(
        labels="numbers",
        metrics={"deviance": Metric("min"), "rmse": Metric("min", unit_power=1), "mae": Metric("min", unit_power=1)},
        primary="deviance",
        losses={"poisson": Loss(noise=(1.0, 0.5), boosting=CountTrees("poisson"))},
        starts_at_mean=True,  # the log of a large count is far from 0, where its deviance is huge
        accepts=whole_from_zero,
        allowed="whole numbers from 0",
        least=0.0,
    )

    @classmethod
    def outputs(cls, classes: int) -> int:
        return 1

    def row_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return half_deviance(outputs.squeeze(-1), labels)

    def estimate(self, outputs: Tensor, task: int) -> Tensor:
        return outputs[:, :, task]

    def label_features(self, labels: Tensor, task: int) -> Tensor:
        return (labels + 0.5).log().unsqueeze(-1)

    def pooled(self, outputs: Tensor) -> Tensor:
        """The log of the mean rate."""
        return torch.logsumexp(outputs, 1) - math.log(outputs.shape[1])

    @classmethod
    def constant(cls, labels: np.ndarray, weights: np.ndarray, classes: int) -> np.ndarray:
        """The log of the mean. The mean is above 0, because labels that are all equal are refused."""
        return np.log(super().constant(labels, weights, classes))

    @classmethod
    def predicted(cls, outputs: np.ndarray, classes: int) -> np.ndarray:
        """Expected counts `[N]`."""
        return np.exp(outputs[:, 0])

    @classmethod
    def from_predicted(cls, predicted: np.ndarray, classes: int) -> np.ndarray:
        return np.log(np.maximum(predicted, np.finfo(np.float64).tiny))[:, None]

    @classmethod
    def exported(cls, graph: OnnxGraph, outputs: str, classes: int) -> str:
        return graph.add("Exp", graph.add("Squeeze", outputs, graph.constant([1], np.int64)))

    @classmethod
    def row_scores(cls, outputs: Tensor, labels: Tensor, unit: float) -> dict[str, Tensor]:
        rates = outputs[:, 0]
        return {"deviance": 2 * half_deviance(rates, labels), "error": rates.exp() - labels}

    @classmethod
    def metrics(cls, outputs: Tensor, labels: Tensor, weights: Tensor, scale: Tensor) -> dict[str, Tensor]:
        """`deviance` is the mean of 2 L. `rmse` and `mae` are those of the expected count."""
        log_rates, counts = outputs.squeeze(-1).double(), labels.double()
        errors = log_rates.exp() - counts
        return {
            "deviance": metrics.weighted_mean(2 * half_deviance(log_rates, counts), weights),
            "rmse": metrics.weighted_mean(errors.square(), weights).sqrt(),
            "mae": metrics.weighted_mean(errors.abs(), weights),
        }
