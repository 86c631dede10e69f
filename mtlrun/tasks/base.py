"""What every task type provides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from mtlrun.tasks.declaration import Declaration
from mtlrun.util.lazy import np, torch

if TYPE_CHECKING:
    from torch import Tensor, nn


class OnnxGraph(Protocol):
    """A graph of ONNX operators under construction. Values are known by their names."""

    def constant(self, values: Any, dtype: Any = None) -> str:
        """A constant of these values; its name."""

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """An operator on these values; the name of its output."""


class TaskType(ABC):
    """One block of tasks of the same type and loss.

    `declared` is what others ask of the type without computing with it; a package's type has it in its
    `TaskTypeOption`. A type that `reads_inputs` has the encoded inputs `[R, B, D]` as its labels, the same for every
    task of the block.
    """

    declared: ClassVar[Declaration]
    reads_inputs: ClassVar[bool] = False

    def __init__(self, loss: str, deltas: Sequence[float], classes: Sequence[int]) -> None:
        self.loss = loss
        self.deltas = torch.tensor(list(deltas))
        self.classes = list(classes)

    @classmethod
    @abstractmethod
    def outputs(cls, classes: int) -> int:
        """How many numbers a head puts out for so many classes (0 for a regression, D for a reconstruction)."""

    @abstractmethod
    def row_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Losses of single rows `[R, B, T]` from outputs `[R, B, T, K]` and labels `[R, B, T]`."""

    @abstractmethod
    def estimate(self, outputs: Tensor, task: int) -> Tensor:
        """The prediction of one task of the block as features `[R, B, E]` for another."""

    @abstractmethod
    def label_features(self, labels: Tensor, task: int) -> Tensor:
        """Observed labels `[R, B]` of one task in the form of `estimate` `[R, B, E]`."""

    @classmethod
    def head_function(cls, objectives: Sequence[str], scales: Sequence[float]) -> nn.Module | None:
        """What takes the place of heads, for a block of tasks with these objectives and factors: a module without
        parameters, from features `[R, B, H]` (or `[R, T, B, H]`, one tensor expanded along T) to outputs
        `[R, B, T, K]`. None: heads are learnt."""
        return None

    @classmethod
    def constant(cls, labels: np.ndarray, weights: np.ndarray, classes: int) -> np.ndarray:
        """Outputs `[K]` of a predictor that knows no inputs, for labels and weights `[N]` of training rows.

        The mean of numbers; of classes the log of their rates, of two with one output its difference. A class without a
        row gets the rate of half a row, so that its log is finite. float64.
        """
        if not classes:
            return np.array([np.average(labels, weights=weights)])
        counts = np.bincount(labels.astype(int), weights=weights, minlength=classes)
        rates = np.maximum(counts, 0.5 * weights.mean())
        logs: np.ndarray = np.log(rates / rates.sum())
        return logs[1:] - logs[:1] if cls.outputs(classes) == 1 else logs

    @classmethod
    def predicted(cls, outputs: np.ndarray, classes: int) -> np.ndarray:
        """What outputs `[N, K]` predict: numbers `[N]`, in steps of the labels' unit, or probabilities `[N, classes]`.

        The first output; the softmax of logits, of one logit those of 0 and itself. float64.
        """
        if not classes:
            return outputs[:, 0]
        if classes == 2 and outputs.shape[1] == 1:
            outputs = np.concatenate([np.zeros_like(outputs), outputs], 1)
        shifted = np.exp(outputs - outputs.max(1, keepdims=True))
        return np.asarray(shifted / shifted.sum(1, keepdims=True))

    @classmethod
    def exported(cls, graph: OnnxGraph, outputs: str, classes: int) -> str | None:
        """`predicted` as operators of an ONNX graph: the name of the predictions of `outputs` `[N, K]`, float64.

        None where there are none: of a type that says itself what is `predicted`, and not here.
        """
        inherited = cls.__mro__[cls.__mro__.index(TaskType) :]
        if next(c for c in cls.__mro__ if "predicted" in vars(c)) not in inherited:
            return None
        if not classes:
            return graph.add("Squeeze", outputs, graph.constant([1], np.int64))
        if cls.outputs(classes) == 1:  # the logit of the second of two classes; that of the first is 0
            zeros = graph.add("Mul", outputs, graph.constant(0, np.float64))
            outputs = graph.add("Concat", zeros, outputs, axis=1)
        return graph.add("Softmax", outputs, axis=1)

    @classmethod
    def row_scores(cls, outputs: Tensor, labels: Tensor, unit: float) -> dict[str, Tensor]:
        """What the type's metrics are made of, for other sets of rows: `[N]` each, of one task.

        outputs `[N, K]`, labels `[N]`, float64; unit: as `scale` in `metrics`. Under the name of a metric stand the
        numbers whose weighted mean it is. "error" and "label", in the target's unit, make mse, rmse, mae and r2;
        "score" and "label" (0 or 1) make auroc and auprc. Where one is lacking, `compare --rows` refuses the task.
        """
        return {}

    @classmethod
    @abstractmethod
    def metrics(cls, outputs: Tensor, labels: Tensor, weights: Tensor, scale: Tensor) -> dict[str, Tensor]:
        """Figures `[R]` of one task over its rows, in float64; NaN where a figure is undefined.

        outputs `[R, N, K]`; labels `[R, N]`; weights `[R, N]`, 0 where unobserved; scale `[R]`: the unit of
        one step of outputs and labels (1 but for standardised regressions).
        """
