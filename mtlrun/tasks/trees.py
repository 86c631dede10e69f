"""What gradient boosting minimises for a loss: the objectives of scikit-learn's HistGradientBoosting.

Imports neither scikit-learn nor NumPy before they are used: task types declare these, and the check asks for them.
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
    """`name`: what scikit-learn calls the loss; `factor`: the task's loss over scikit-learn's."""

    name: str
    factor: float = 1.0

    @abstractmethod
    def estimator(self, settings: Mapping[str, Any]) -> Any:
        """scikit-learn's estimator with these settings, before it is fitted."""

    @abstractmethod
    def raw(self, model: Any, x: np.ndarray) -> np.ndarray:
        """Raw predictions [N] or [N, classes] of a fitted estimator for inputs [N, D]."""

    @abstractmethod
    def staged(self, model: Any, x: np.ndarray) -> Iterator[np.ndarray]:
        """`raw` after 1, 2, … iterations."""

    def outputs(self, raw: np.ndarray, model: Any, classes: int, rows: int) -> np.ndarray:
        """Raw predictions as outputs [N, K] of a head. `rows`: how many training rows the estimator was fitted on."""
        return raw[:, None]

    def train_losses(self, model: Any, labels: np.ndarray, weights: np.ndarray | None) -> list[float]:
        """The task's loss on the training rows after 1, 2, … iterations. labels, weights: [N] of these rows."""
        return [-self.factor * float(score) for score in model.train_score_[1:]]


class Regressor(TreeLoss):
    """A loss of HistGradientBoostingRegressor, whose predictions are the outputs."""

    def estimator(self, settings: Mapping[str, Any]) -> Any:
        return ensemble.HistGradientBoostingRegressor(loss=self.name, **settings)

    def raw(self, model: Any, x: np.ndarray) -> np.ndarray:
        return model.predict(x)

    def staged(self, model: Any, x: np.ndarray) -> Iterator[np.ndarray]:
        return model.staged_predict(x)


class Classifier(TreeLoss):
    """A loss of HistGradientBoostingClassifier; of two classes its decision function is the logit."""

    def estimator(self, settings: Mapping[str, Any]) -> Any:
        return ensemble.HistGradientBoostingClassifier(loss=self.name, **settings)

    def raw(self, model: Any, x: np.ndarray) -> np.ndarray:
        return model.decision_function(x)

    def staged(self, model: Any, x: np.ndarray) -> Iterator[np.ndarray]:
        return model.staged_decision_function(x)
