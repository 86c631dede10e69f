"""What every task type provides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from mtlrun.util.lazy import np, torch

if TYPE_CHECKING:
    from torch import Tensor, nn


class TaskType(ABC):
    r"""One block of tasks of the same type and loss.

    `noise` are the factors (a, c) of the negative log-likelihood with a learnt scale,

    .. math:: a\, e^{-s} L + c\, s,

    whose optimum is :math:`e^{s} = a L / c` (Kendall, Gal & Cipolla 2018, eq. 7 and 10, with s = log σ²;
    for the Laplace likelihood of an absolute error s = log b).

    A type that `reads_inputs` has the encoded inputs `[R, B, D]` as its labels, the same for every task of the block.
    """

    noise: ClassVar[dict[str, tuple[float, float]]]
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
    @abstractmethod
    def metrics(cls, outputs: Tensor, labels: Tensor, weights: Tensor, scale: Tensor) -> dict[str, Tensor]:
        """Figures `[R]` of one task over its rows, in float64; NaN where a figure is undefined.

        outputs `[R, N, K]`; labels `[R, N]`; weights `[R, N]`, 0 where unobserved; scale `[R]`: the unit of
        one step of outputs and labels (1 but for standardised regressions).
        """
