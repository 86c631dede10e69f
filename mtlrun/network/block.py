"""The interface of a block: heads of tasks of one type that read the trunk in the same way, computed together."""

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
    """Description of a head: its task, number of outputs, and what it reads."""

    task: str
    outputs: int
    trunk: TrunkEdge
    edges: tuple[TaskEdge, ...] = ()


@dataclass(frozen=True)
class BlockSpec:
    """Arguments from which a block is built.

    first: place of its first task among the network's tasks; parts: places of its tasks' features, see `Sharing.parts`,
    empty if all tasks have the same; features, received: how many numbers it reads from the trunk and from other tasks;
    input_places: places of the encoded columns `[D]` that are its labels, None for all, and for a type that does not
    read inputs
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
    """T tasks of one type that read the trunk in the same way. The base class has no parameters.

    outputs: K, the largest number of outputs; columns: places of its tasks among the network's tasks; layer: the layer
    of the trunk that it reads, or NOTHING; edges: carry what it receives from other tasks; owner: the task whose head
    computes its output, empty if it has a head
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
        """x `[R, B, in]` → outputs `[R, B, T, K]` and the last hidden layer `[R, B, T, H]`, None without one.

        x may be `[R, T, B, in]`: separate features for each task, or one tensor expanded along T, which gives each
        task a separate gradient. All hidden layers are appended to `tape`.
        """

    def read(self, features: Sequence[Tensor]) -> Tensor:
        """Returns the features that it reads: `[R, B, H]`, or `[R, T, B, H]` if its T tasks have separate ones."""
        if self.layer == NOTHING:
            return features[0][..., :0]
        h = features[self.layer]
        if h.dim() == 3:
            return h
        if len(set(self.parts)) == 1:
            return h[:, self.parts[0]]
        return h if self.parts == list(range(h.shape[1])) else h[:, self.parts]

    def losses(self, outputs: Tensor, x: Tensor, targets: Targets) -> Tensor:
        """Returns losses `[R, T]`: means over observed labels of a batch; 0, without gradient, if none."""
        labels = self.input_labels(x) if self.kind.reads_inputs else targets.labels[..., self.columns]
        rows = self.kind.training_losses(outputs, labels)  # [R, B, T]
        return rows.mean(1) if targets.weights is None else (rows * targets.weights[..., self.columns]).sum(1)

    def input_labels(self, x: Tensor) -> Tensor:
        """Returns the labels `[..., D]` of a type that reads inputs, from all encoded columns `[..., D']`."""
        return x if self.input_places is None else x.index_select(-1, self.input_places)

    def tie(self, blocks: Iterable["Block"]) -> None:
        """Finds the block of the head that it uses, if it is another task's. Raises RequestError if they do not fit."""

    def task_parameters(self, task: str) -> list[Tensor]:
        """Returns views of one task's parameters in every run, first weights, then biases."""
        return []

    def parameter_count(self) -> int:
        """Returns the number of parameters of one run, without padding to the block's width."""
        return 0

    def input_weights(self, inputs: int) -> Tensor | None:
        """Returns the weights `[R, T, in, out]` on its first `inputs` inputs, those from the trunk; None if none."""
        return None


class FunctionBlock(Block):
    """T tasks whose outputs are a function of the features, given by their type, in place of heads."""

    def __init__(self, spec: BlockSpec, function: nn.Module) -> None:
        super().__init__(spec)
        self.function = function

    def forward(self, x: Tensor, tape: list[Tensor] | None = None) -> tuple[Tensor, None]:
        """As `Block.forward`; there are no hidden layers."""
        return self.function(x), None
