"""Edges between tasks: what a head receives of another task's head, beside the trunk's features."""

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
    """A task whose estimate others receive: its type, how many outputs it has, its place in its block, and its column
    among the network's tasks."""

    task: str
    kind: TaskType
    outputs: int
    place: int
    column: int


@dataclass(frozen=True)
class Sent:
    """What a block has put out: outputs `[R, B, T, K]`, and the last hidden layer `[R, B, T, H]` if there is one."""

    outputs: Tensor
    hidden: Tensor | None


class Edge(ABC):
    """Carries something of a task's head to other heads, `[R, B, E]`; the gradient goes back times `scale`.

    A subclass for each `what` of the graph.
    """

    of_hidden: ClassVar[bool] = False  # it is the hidden layer that is carried, not the outputs

    def __init__(self, source: Source, scale: GradientScale) -> None:
        self.source, self.scale = source, scale

    def width(self, head_hidden: Sequence[int]) -> int:
        """E, for heads with hidden layers of these widths."""
        return head_hidden[-1] if self.of_hidden else self.source.outputs

    @abstractmethod
    def __call__(self, sent: Sent, targets: Targets | None, labels: LabelStatistics | None) -> Tensor:
        """What is carried `[R, B, E]` of what the source's block has sent.

        targets: only while training; labels: statistics by which estimates are standardised, None where they are so
        already
        """

    def standardised(self, estimate: Tensor, labels: LabelStatistics | None) -> Tensor:
        """Estimates `[R, B, E]` less the mean and over the spread of the source's training labels."""
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
    """The outputs as they are; of a regression its estimate, which is standardised."""

    def __call__(self, sent: Sent, targets: Targets | None, labels: LabelStatistics | None) -> Tensor:
        outputs = sent.outputs[:, :, self.source.place, : self.source.outputs]
        return self.standardised(self.scale(outputs), labels)


class Prediction(Edge):
    """What the source's type estimates: probabilities, or a standardised number."""

    def __call__(self, sent: Sent, targets: Targets | None, labels: LabelStatistics | None) -> Tensor:
        estimate = self.source.kind.estimate(sent.outputs, self.source.place)
        return self.standardised(self.scale(estimate), labels)


class Label(Prediction):
    """While training the observed label in place of the prediction."""

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
    """The gradient factors of one edge in every run."""
    return GradientScale([g.scale for g in gradients], [g.ramped for g in gradients])
