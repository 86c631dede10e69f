"""Edges between tasks: a head receives outputs or hidden features of another task's head."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlrun.config.graph import Gradient
from mtlrun.model.layers import GradientScale
from mtlrun.network.supervision import LabelStatistics, Targets
from mtlrun.tasks import TaskType


@dataclass(frozen=True)
class Source:
    """A task whose estimate other tasks receive.

    kind: its type; outputs: their number; place: in its block; column: among the network's tasks
    """

    task: str
    kind: TaskType
    outputs: int
    place: int
    column: int


@dataclass(frozen=True)
class Sent:
    """Outputs `[R, B, T, K]` of a block, and its last hidden layer `[R, B, T, H]` if there is one."""

    outputs: Tensor
    hidden: Tensor | None


class Edge(ABC):
    """Carries `[R, B, E]` from one task's head to another. The gradient back is multiplied by `scale`.

    There is a subclass for each `what` of the graph.
    """

    of_hidden: ClassVar[bool] = False  # carries the hidden layer instead of outputs

    def __init__(self, source: Source, scale: GradientScale) -> None:
        self.source, self.scale = source, scale

    def width(self, head_hidden: Sequence[int]) -> int:
        """Returns E, for heads with hidden layers of these widths."""
        return head_hidden[-1] if self.of_hidden else self.source.outputs

    @abstractmethod
    def __call__(self, sent: Sent, targets: Targets | None, labels: LabelStatistics | None) -> Tensor:
        """Returns what it carries, `[R, B, E]`, from the outputs of the source's block.

        targets: only while training; labels: statistics to standardise estimates, None if they are standardised
        """

    def standardised(self, estimate: Tensor, labels: LabelStatistics | None) -> Tensor:
        """Standardises estimates `[R, B, E]` by the source's training labels."""
        if labels is None:
            return estimate
        column = self.source.column
        return (estimate - labels.mean[:, column, None, None]) * labels.inverse[:, column, None, None]


class Embedding(Edge):
    """The last hidden layer of the source's head."""

    of_hidden: ClassVar[bool] = True

    def __call__(self, sent: Sent, targets: Targets | None, labels: LabelStatistics | None) -> Tensor:
        assert sent.hidden is not None, "checked with the request"
        return self.scale(sent.hidden[:, :, self.source.place])


class Logits(Edge):
    """The outputs of the source's head; a regression's estimate is standardised."""

    def __call__(self, sent: Sent, targets: Targets | None, labels: LabelStatistics | None) -> Tensor:
        outputs = sent.outputs[:, :, self.source.place, : self.source.outputs]
        return self.standardised(self.scale(outputs), labels)


class Prediction(Edge):
    """The estimate of the source: probabilities, or a standardised number."""

    def __call__(self, sent: Sent, targets: Targets | None, labels: LabelStatistics | None) -> Tensor:
        estimate = self.source.kind.estimate(sent.outputs, self.source.place)
        return self.standardised(self.scale(estimate), labels)


class Label(Prediction):
    """The observed label while training, the prediction otherwise and for rows without a label."""

    def __call__(self, sent: Sent, targets: Targets | None, labels: LabelStatistics | None) -> Tensor:
        estimate = super().__call__(sent, targets, labels)
        if targets is None:
            return estimate
        column = self.source.column
        features = self.source.kind.label_features(targets.labels[:, :, column], self.source.place)
        label = self.standardised(features, labels)
        if targets.observed is None:
            return label
        return torch.where(targets.observed[:, :, column].unsqueeze(-1), label, estimate)


EDGES: dict[str, type[Edge]] = {"prediction": Prediction, "logits": Logits, "embedding": Embedding, "label": Label}


def gradient_scale(gradients: Sequence[Gradient]) -> GradientScale:
    """Returns the gradient factors of one edge in all runs."""
    return GradientScale([g.scale for g in gradients], [g.ramped for g in gradients])
