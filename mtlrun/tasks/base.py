"""The base class of task types: the methods that every type provides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from mtlrun.tasks.declaration import Declaration
from mtlrun.util.lazy import np, torch

if TYPE_CHECKING:
    from torch import Tensor, nn


class OnnxGraph(Protocol):
    """A graph of ONNX operators under construction. A value is referred to by its name."""

    def constant(self, values: Any, dtype: Any = None) -> str:
        """Adds a constant with these values and returns its name."""

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Adds an operator on these values and returns the name of its output."""


class TaskType(ABC):
    """One block of tasks of the same type and loss.

    `declared` describes the type to code that does not compute with it. A type from a package has its declaration in
    its `TaskTypeOption`. If `reads_inputs`, the labels are the encoded inputs `[R, B, D]`, the same for every task of
    the block.
    """

    declared: ClassVar[Declaration]
    reads_inputs: ClassVar[bool] = False
    smoothing = 0.0  # the share of a class label that is spread evenly over all classes in training

    def __init__(self, loss: str, deltas: Sequence[float], classes: Sequence[int]) -> None:
        self.loss = loss
        self.deltas = torch.tensor(list(deltas))
        self.classes = list(classes)

    @classmethod
    @abstractmethod
    def outputs(cls, classes: int) -> int:
        """The number K of outputs of a head. `classes` is 0 for numbers and D for a reconstruction."""

    @abstractmethod
    def row_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The loss of each row `[R, B, T]` from outputs `[R, B, T, K]` and labels `[R, B, T]`."""

    def training_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """`row_losses` in training; labels of classes are smoothed (Szegedy et al. 2016, section 7) by `smoothing`."""
        return self.row_losses(outputs, labels)

    @abstractmethod
    def estimate(self, outputs: Tensor, task: int) -> Tensor:
        """The prediction of one task of the block, as features `[R, B, E]` for another task."""

    @abstractmethod
    def label_features(self, labels: Tensor, task: int) -> Tensor:
        """Observed labels `[R, B]` of one task as features `[R, B, E]`, in the same form as `estimate`."""

    def pooled(self, outputs: Tensor) -> Tensor:
        """The outputs `[R, B, T, K]` of an ensemble, from those of its M members `[R, M, B, T, K]`.

        Their predictions are averaged. This implementation takes the mean of the outputs.
        """
        return outputs.mean(1)

    @classmethod
    def head_function(cls, functions: Sequence[str], scales: Sequence[float]) -> nn.Module | None:
        """A module without parameters that replaces the heads of a block; None if heads are learnt.

        functions, scales: the names of the functions and the factors of the tasks. The module maps features
        `[R, B, H]` to outputs `[R, B, T, K]`. Features may also be `[R, T, B, H]`, one tensor expanded along T.
        """
        return None

    @classmethod
    def constant(cls, labels: np.ndarray, weights: np.ndarray, classes: int) -> np.ndarray:
        """Outputs `[K]`, float64, of a predictor that knows no inputs, from labels and weights `[N]` of training rows.

        Numbers: the mean. Classes: the logs of their rates. Two classes with one output: the difference of the two
        logs. A class without rows gets the rate of half a row, so that its log is finite.
        """
        if not classes:
            return np.array([np.average(labels, weights=weights)])
        counts = np.bincount(labels.astype(int), weights=weights, minlength=classes)
        rates = np.maximum(counts, 0.5 * weights.mean())
        logs: np.ndarray = np.log(rates / rates.sum())
        return logs[1:] - logs[:1] if cls.outputs(classes) == 1 else logs

    @classmethod
    def logits(cls, outputs: np.ndarray, classes: int) -> np.ndarray:
        """Logits `[N, classes]` from outputs `[N, K]`. A single output o for two classes counts as (0, o)."""
        if classes == 2 and outputs.shape[1] == 1:
            return np.concatenate([np.zeros_like(outputs), outputs], 1)
        return outputs

    @classmethod
    def predicted(cls, outputs: np.ndarray, classes: int) -> np.ndarray:
        """Predictions from outputs `[N, K]`: numbers `[N]` in the unit of the labels, or probabilities `[N, classes]`.

        Numbers are the first output. Probabilities are the softmax of `logits`. float64.
        """
        if not classes:
            return outputs[:, 0]
        logits = cls.logits(outputs, classes)
        shifted = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(shifted / shifted.sum(1, keepdims=True))

    @classmethod
    def exported(cls, graph: OnnxGraph, outputs: str, classes: int) -> str | None:
        """Adds `predicted` to an ONNX graph as operators on `outputs` `[N, K]`; returns the name of the float64 result.

        None if a subclass overrides `predicted` but not this method: its predictions then have no operators.
        """
        if has_own_predictions(cls):
            return None
        if not classes:
            return graph.add("Squeeze", outputs, graph.constant([1], np.int64))
        if cls.outputs(classes) == 1:  # the logit of the second of two classes; that of the first is 0
            zeros = graph.add("Mul", outputs, graph.constant(0, np.float64))
            outputs = graph.add("Concat", zeros, outputs, axis=1)
        return graph.add("Softmax", outputs, axis=1)

    @classmethod
    def from_predicted(cls, predicted: np.ndarray, classes: int) -> np.ndarray | None:
        """Outputs `[N, K]` that `predicted` maps to these numbers `[N]` or probabilities `[N, classes]`. float64.

        None if a subclass overrides `predicted` but not this method: `compare --ensemble` then has no figures of it.
        """
        if has_own_predictions(cls):
            return None
        if not classes:
            return predicted[:, None]
        logs: np.ndarray = np.log(np.maximum(predicted, np.finfo(np.float64).tiny))
        return logs[:, 1:] - logs[:, :1] if cls.outputs(classes) == 1 else logs

    @classmethod
    def row_scores(cls, outputs: Tensor, labels: Tensor, unit: float) -> dict[str, Tensor]:
        """Per-row figures `[N]` of one task, from which its metrics can be computed for any set of rows.

        outputs `[N, K]`, labels `[N]`, float64; unit: as `scale` in `metrics`. "error" and "label", in the unit of the
        target, give mse, rmse, mae and r2. "score" and "label" (0 or 1) give auroc and auprc. "confidence" and "hit"
        (0 or 1) give ece. Any other metric is the weighted mean of the figures under its name. If figures are missing,
        `compare --rows` refuses the task.
        """
        return {}

    @classmethod
    @abstractmethod
    def metrics(cls, outputs: Tensor, labels: Tensor, weights: Tensor, scale: Tensor) -> dict[str, Tensor]:
        """Figures `[R]` of one task over its rows, in float64; NaN if a figure is undefined.

        outputs `[R, N, K]`; labels `[R, N]`; weights `[R, N]`, 0 for unobserved labels; scale `[R]`: the size of one
        unit of outputs and labels in the unit of the target (1 except for standardised regressions).
        """


def has_own_predictions(kind: type[TaskType]) -> bool:
    """Whether a subclass overrides `predicted` of TaskType. Its outputs for classes are then not always logits."""
    inherited = kind.__mro__[kind.__mro__.index(TaskType) :]
    return next(c for c in kind.__mro__ if "predicted" in vars(c)) not in inherited
