"""Losses of gradient boosting, as offered by HistGradientBoosting of scikit-learn.

scikit-learn and NumPy are imported only on use, because the check reads these objects from the declarations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtlrun.util.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np

ensemble: Any = LazyModule("sklearn.ensemble")


@dataclass(frozen=True)
class TreeLoss(ABC):
    """A loss of gradient boosting.

    name: the name in scikit-learn. factor: the loss of the task divided by that of scikit-learn.
    """

    name: str
    factor: float = 1.0

    @abstractmethod
    def estimator(self, settings: Mapping[str, Any]) -> Any:
        """The unfitted scikit-learn estimator with these settings."""

    @abstractmethod
    def raw(self, model: Any, x: np.ndarray) -> np.ndarray:
        """Raw predictions [N] or [N, classes] of a fitted estimator for inputs [N, D]."""

    @abstractmethod
    def staged(self, model: Any, x: np.ndarray) -> Iterator[np.ndarray]:
        """Yields `raw` after 1, 2, … iterations."""

    def can_score(self, labels: np.ndarray) -> bool:
        """Whether scikit-learn computes the loss of these labels [N], N > 0."""
        return True

    def outputs(self, raw: np.ndarray, model: Any, classes: int, rows: int) -> np.ndarray:
        """Outputs [N, K] of a head from raw predictions. `rows`: number of training rows of the estimator."""
        return raw[:, None]

    def train_losses(self, model: Any, labels: np.ndarray, weights: np.ndarray | None) -> list[float]:
        """The loss of the task on the training rows after 1, 2, … iterations. labels, weights: [N] of these rows."""
        return [-self.factor * float(score) for score in model.train_score_[1:]]


class Regressor(TreeLoss):
    """A loss of HistGradientBoostingRegressor. Its predictions are the outputs."""

    def estimator(self, settings: Mapping[str, Any]) -> Any:
        return ensemble.HistGradientBoostingRegressor(loss=self.name, **settings)

    def raw(self, model: Any, x: np.ndarray) -> np.ndarray:
        return model.predict(x)

    def staged(self, model: Any, x: np.ndarray) -> Iterator[np.ndarray]:
        return model.staged_predict(x)


class Classifier(TreeLoss):
    """A loss of HistGradientBoostingClassifier. For two classes its decision function is the logit."""

    def estimator(self, settings: Mapping[str, Any]) -> Any:
        return ensemble.HistGradientBoostingClassifier(loss=self.name, **settings)

    def raw(self, model: Any, x: np.ndarray) -> np.ndarray:
        return model.decision_function(x)

    def staged(self, model: Any, x: np.ndarray) -> Iterator[np.ndarray]:
        return model.staged_decision_function(x)
