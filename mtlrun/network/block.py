"""What all blocks of heads have in common: tasks of one type that read the trunk in the same way, computed together."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from mtlrun.config.graph import NOTHING, TaskEdge, TrunkEdge
from mtlrun.model.layers import GradientScale
from mtlrun.network.supervision import Targets
from mtlrun.network.task_edges import Edge
from mtlrun.tasks import TaskType


@dataclass(frozen=True)
class HeadSpec:
    """What a head is built from: its task, how many outputs, and what it reads."""

    task: str
    outputs: int
    trunk: TrunkEdge
    edges: tuple[TaskEdge, ...] = ()


@dataclass(frozen=True)
class BlockSpec:
    """What a block is built from.

    first: the number of its first task among those of the network; parts: the places of its tasks along the axis of
    features of which each task has its own; features, received: how many numbers it reads of the trunk and of other
    tasks; input_places: the places of the encoded columns `[D]` that are its labels, None for all of them, and for a
    type that does not read inputs
    """

    kind: TaskType
    heads: Sequence[HeadSpec]
    first: int
    parts: Sequence[int]
    features: int
    received: int
    trunk_scale: GradientScale | None
    edges: Sequence[Edge]
    input_places: Tensor | None


class Block(nn.Module, ABC):
    """T tasks of one type that read the trunk in the same way. Here they have no parameters.

    `outputs` is K, the largest number of outputs; `columns` are its tasks among those of the network; `layer` is the
    layer of the trunk that it reads, or NOTHING. `edges` bring what it receives of other tasks. `owner`: the task whose
    head computes its output, empty where that is its own.
    """

    input_places: Tensor | None
    task_axes: Sequence[int] = ()
    owner = ""

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        self.kind, self.specs = spec.kind, list(spec.heads)
        self.tasks = [head.task for head in spec.heads]
        self.outputs = max(head.outputs for head in spec.heads)
        self.columns = slice(spec.first, spec.first + len(self.tasks))
        self.layer = spec.heads[0].trunk.at
        self.parts = list(spec.parts)
        self.trunk_scale, self.edges = spec.trunk_scale, list(spec.edges)
        self.register_buffer("input_places", spec.input_places, persistent=False)

    @abstractmethod
    def forward(self, x: Tensor, tape: list[Tensor] | None = None) -> tuple[Tensor, Tensor | None]:
        """x `[R, B, in]` → outputs `[R, B, T, K]` and the last hidden layer `[R, B, T, H]`, None where there is none.

        x may be `[R, T, B, in]`: features that are each task's own; or one tensor expanded, and then every task's
        gradient is with respect to a copy of its own. A `tape` is filled with every hidden layer.
        """

    def read(self, features: Sequence[Tensor]) -> Tensor:
        """What it reads of the trunk's features: `[R, B, H]`, or `[R, T, B, H]` where its T > 1 tasks have each their
        own."""
        if self.layer == NOTHING:
            return features[0][..., :0]
        h = features[self.layer]
        if h.dim() == 3:
            return h
        if len(self.parts) == 1:
            return h[:, self.parts[0]]
        return h if self.parts == list(range(h.shape[1])) else h[:, self.parts]

    def losses(self, outputs: Tensor, x: Tensor, targets: Targets) -> Tensor:
        """Losses `[R, T]`: means over the observed labels of a batch; 0, with no gradient, where there are none."""
        labels = self.input_labels(x) if self.kind.reads_inputs else targets.labels[..., self.columns]
        rows = self.kind.row_losses(outputs, labels)  # [R, B, T]
        return rows.mean(1) if targets.weights is None else (rows * targets.weights[..., self.columns]).sum(1)

    def input_labels(self, x: Tensor) -> Tensor:
        """The labels `[..., D]` of a type that reads inputs, among all encoded columns `[..., D']`."""
        return x if self.input_places is None else x.index_select(-1, self.input_places)

    def tie(self, blocks: Iterable["Block"]) -> None:
        """Find the block whose head it uses, where that is another's. Raises RequestError where they do not go
        together."""

    def task_parameters(self, task: str) -> list[Tensor]:
        """Views of one task's parameters in every run, weights and then biases."""
        return []

    def parameter_count(self) -> int:
        """How many numbers one run learns here; what only pads a head to its block's width is none."""
        return 0

    def input_weights(self, inputs: int) -> Tensor | None:
        """The weights `[R, T, in, out]` with which it reads inputs, of which `inputs` come from the
        trunk; None where it reads none."""
        return None


class FunctionBlock(Block):
    """T tasks whose outputs are a function of the features, that their type has in place of heads."""

    def __init__(self, spec: BlockSpec, function: nn.Module) -> None:
        super().__init__(spec)
        self.function = function

    def forward(self, x: Tensor, tape: list[Tensor] | None = None) -> tuple[Tensor, None]:
        """As `Block.forward`; there are no hidden layers."""
        return self.function(x), None
