"""What every task type provides."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor


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
    @abstractmethod
    def metrics(cls, outputs: Tensor, labels: Tensor, weights: Tensor, scale: Tensor) -> dict[str, Tensor]:
        """Figures `[R]` of one task over its rows, in float64; NaN where a figure is undefined.

        outputs `[R, N, K]`; labels `[R, N]`; weights `[R, N]`, 0 where unobserved; scale `[R]`: the unit of
        one step of outputs and labels (1 but for standardised regressions).
        """
