"""The assembly: encoder, trunk and heads along the graph, for a stack of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.config.graph import NOTHING, Graph, TaskEdge
from mtlrun.config.schema import ModelConfig
from mtlrun.config.values import from_mapping
from mtlrun.model.layers import GradientScale
from mtlrun.model.trunks.mlp import Noise
from mtlrun.network.heads import HeadBlock, HeadSpec, TiedBlock
from mtlrun.network.inputs import InputEncoder
from mtlrun.network.point import ObjectiveBlock
from mtlrun.sharing.base import Sharing
from mtlrun.tasks import TYPES, type_of


@dataclass(frozen=True)
class TaskSpec:
    """A task as the network needs it. `classes`: 0 for a regression, D for a reconstruction; `delta`: Huber's;
    `objective`, `scale`: the function that an objective is, and its factor; `head`: the task whose head it has too;
    `columns`: those that a reconstruction is about, None for all that the network sees."""

    name: str
    type: str
    loss: str
    classes: int
    delta: float = 1.0
    objective: str = ""
    scale: float = 1.0
    head: str = ""
    columns: list[str] | None = None

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "TaskSpec":
        """The same from a checkpoint. Raises RequestError, TypeError or AttributeError for anything else."""
        return from_mapping(cls, plain, "specs", "a task")


@dataclass
class Targets:
    """What the losses of a batch need, tasks in the order of `Network.tasks`.

    labels `[R, B, T]`; `weights` `[R, B, T]` sum to 1 over the batch where a task has labels (None: every
    row counts the same); `observed` `[R, B, T]` (None: all); `present` `[R, T]`: has the task any label here?
    """

    labels: Tensor
    weights: Tensor | None = None
    observed: Tensor | None = None
    present: Tensor | None = None


Block = HeadBlock | ObjectiveBlock | TiedBlock


class Network(nn.Module):
    """Trunk and heads of R runs of the same shapes; their graphs may differ in gradient scales only."""

    label_mean: Tensor
    label_inverse: Tensor

    def __init__(
        self,
        encoder: InputEncoder,
        sharing: Sharing,
        specs: Sequence[TaskSpec],
        graphs: Sequence[Graph],
        config: ModelConfig,
        seeds: Sequence[int],
    ) -> None:
        super().__init__()
        graph = graphs[0]
        self.graph, self.encoder, self.sharing = graph, encoder, sharing
        by_name = {s.name: s for s in specs}
        estimate_width = {s.name: TYPES[s.type].outputs(s.classes) for s in specs}
        hidden = config.head_hidden[-1] if config.head_hidden else 0
        self.trunk_scales = {
            t: GradientScale([g.trunk[t].gradient.scale for g in graphs], [g.trunk[t].gradient.ramped for g in graphs])
            for t in graph.tasks
            if graph.trunk[t].explicit
        }
        self.edge_scales = {
            (e.source, e.task): GradientScale([f.gradient.scale for f in same], [f.gradient.ramped for f in same])
            for i, e in enumerate(graph.edges)
            for same in [[g.edges[i] for g in graphs]]
        }
        self.blocks: list[Block] = []
        for names in _blocks(graph, by_name):
            first = by_name[names[0]]
            kind = TYPES[first.type](first.loss, [by_name[n].delta for n in names], [by_name[n].classes for n in names])
            heads = [HeadSpec(n, kind.outputs(by_name[n].classes), graph.trunk[n], graph.into(n)) for n in names]
            if type_of(first.type).of_a_point:
                named = [by_name[n] for n in names]
                self.blocks.append(ObjectiveBlock(kind, heads, [s.objective for s in named], [s.scale for s in named]))
                continue
            received = sum(hidden if e.what == "embedding" else estimate_width[e.source] for e in heads[0].edges)
            at = heads[0].trunk.at
            features = 0 if at == NOTHING else sharing.widths[at]
            if first.head:
                self.blocks.append(TiedBlock(kind, heads[0], first.head))
                continue
            self.blocks.append(HeadBlock(kind, heads, config, seeds, features, received))
        self.heads = nn.ModuleList(self.blocks)
        for block in self.blocks:
            if isinstance(block, TiedBlock):
                block.tie(self.blocks)
        self.order = list(sharing.tasks or by_name)  # of the tasks along the axis of features that are each task's own
        self.tasks: list[str] = [t for block in self.blocks for t in block.tasks]
        for b, block in enumerate(self.blocks):
            self.register_buffer(f"read{b}", self._places(by_name[block.tasks[0]]), persistent=False)
        self.place = {t: (block, i) for block in self.blocks for i, t in enumerate(block.tasks)}
        # A regression's estimate is passed on standardised, also where its labels are in raw units.
        self.register_buffer("label_mean", torch.zeros(len(seeds), len(self.tasks)))
        self.register_buffer("label_inverse", torch.ones(len(seeds), len(self.tasks)))
        self.raw_labels = False
        # what some loss holds constant, of the tensors: which losses; and whose loss goes back now, as Apart says
        self.held: dict[str, set[str]] = {}
        for task, constants in graph.constants.items():
            for name in constants:
                if name != "trunk" and not name.startswith("heads."):
                    self.held.setdefault(name, set()).add(task)
        self.going_back = ""

    def _places(self, spec: TaskSpec) -> Tensor | None:
        """The places of the encoded columns `[D]` that a reconstruction is about; None for all, and for other tasks."""
        if not type_of(spec.type).reads_inputs:
            return None
        return self.encoder.visible if spec.columns is None else self.encoder.places(spec.columns)

    def read_inputs(self, block: int, x: Tensor) -> Tensor:
        """The labels `[..., D]` of block number `block`, which reads inputs, among all encoded columns `[..., D']`."""
        places = getattr(self, f"read{block}")
        return x if places is None else x.index_select(-1, places)

    def shown(self, x: Tensor) -> Tensor:
        """What the trunk sees `[..., D]` of all encoded columns `[..., D']`: not those that are hidden."""
        return x if self.encoder.visible is None else x.index_select(-1, self.encoder.visible)

    @property
    def scales(self) -> list[GradientScale]:
        """Every gradient factor in the network."""
        return [*self.trunk_scales.values(), *self.edge_scales.values()]

    def forward(self, x: Tensor, targets: Targets | None = None, noise: Noise | None = None) -> list[Tensor]:
        """Encoded inputs `[R, B, D]` → outputs `[R, B, T, K]` of each block.

        `targets` are given while training only: an edge that passes labels then passes the observed ones.
        """
        return self.of_shown(self.shown(x), targets, noise)

    def of_shown(self, x: Tensor, targets: Targets | None = None, noise: Noise | None = None) -> list[Tensor]:
        """The same from what the trunk sees of the encoded inputs."""
        features = self.sharing(x, noise)
        for i, h in enumerate(features):
            self._hold(f"layer{i}", h)
        return self.outputs([self.read(block, features) for block in self.blocks], targets)

    def _hold(self, name: str, tensor: Tensor, part: int | None = None) -> None:
        """Has no gradient of a loss that holds it constant come through a tensor; `part`: that one along its axis of
        tasks, `[R, B, T, …]`."""
        holders = self.held.get(name)
        if holders is None or not tensor.requires_grad:
            return

        def stop(gradient: Tensor) -> Tensor | None:
            if self.going_back not in holders:
                return None
            if part is None:
                return torch.zeros_like(gradient)
            rest = gradient.clone()
            rest[:, :, part] = 0
            return rest

        tensor.register_hook(stop)

    def read(self, block: Block, features: Sequence[Tensor]) -> Tensor:
        """What a block reads of the features: `[R, B, H]`, or `[R, T, B, H]` where its T > 1 tasks have each their
        own."""
        if block.specs[0].trunk.at == NOTHING:
            return features[0][..., :0]
        h = features[block.specs[0].trunk.at]
        if h.dim() == 3:
            return h
        at = [self.order.index(task) for task in block.tasks]
        return h[:, at[0]] if len(at) == 1 else h if at == list(range(h.shape[1])) else h[:, at]

    def outputs(
        self, read: Sequence[Tensor], targets: Targets | None = None, tapes: Sequence[list[Tensor]] | None = None
    ) -> list[Tensor]:
        """The features that each block reads, `[R, B, H]` or as `HeadBlock` takes them → its outputs `[R, B, T, K]`.

        `tapes`, one for each block, are filled with its hidden layers, `[R, B, T, H]` each.
        """
        outputs: list[Tensor] = []
        known: dict[str, tuple[Tensor, Tensor | None]] = {}
        for b, (block, h) in enumerate(zip(self.blocks, read, strict=True)):
            edge = block.specs[0].trunk
            if edge.explicit:
                h = self.trunk_scales[edge.task](h)
            received = [self._receive(e, known, targets) for e in block.specs[0].edges]
            out, hidden = block(torch.cat([h, *received], -1) if received else h, tapes[b] if tapes else None)
            for i, task in enumerate(block.tasks):
                self._hold(task, out, i)
                if hidden is not None:
                    self._hold(task, hidden, i)
            outputs.append(out)
            known.update(dict.fromkeys(block.tasks, (out, hidden)))
        return outputs

    def _receive(
        self, edge: TaskEdge, known: Mapping[str, tuple[Tensor, Tensor | None]], targets: Targets | None
    ) -> Tensor:
        """The features `[R, B, E]` that flow along a task edge."""
        block, i = self.place[edge.source]
        out, hidden = known[edge.source]
        scale = self.edge_scales[edge.source, edge.task]
        if edge.what == "embedding":
            assert hidden is not None, "checked when the network is built"
            return scale(hidden[:, :, i])
        at = self.tasks.index(edge.source)
        if edge.what == "logits":  # of a regression its estimate, which is standardised here as well
            return self._standardise(scale(out[:, :, i, : block.specs[i].outputs]), at)
        estimate = self._standardise(scale(block.kind.estimate(out, i)), at)
        if edge.what == "label" and targets is not None:
            label = self._standardise(block.kind.label_features(targets.labels[:, :, at], i), at)
            if targets.observed is None:
                return label
            return torch.where(targets.observed[:, :, at].unsqueeze(-1), label, estimate)
        return estimate

    def _standardise(self, estimate: Tensor, at: int) -> Tensor:
        """Estimates `[R, B, E]` of task number `at`, less the mean and over the spread of its training labels."""
        if not self.raw_labels:
            return estimate
        return (estimate - self.label_mean[:, at, None, None]) * self.label_inverse[:, at, None, None]

    def losses(self, x: Tensor, targets: Targets, noise: Noise | None = None) -> Tensor:
        """Losses `[R, T]`: means over the observed labels of a batch; 0, with no gradient, where there are none."""
        return self.losses_of(self(x, targets, noise), x, targets)

    def losses_of(self, outputs: Sequence[Tensor], x: Tensor, targets: Targets) -> Tensor:
        """The same from the outputs of each block."""
        parts = []
        start = 0
        for b, (block, out) in enumerate(zip(self.blocks, outputs, strict=True)):
            these = slice(start, start := start + len(block.tasks))
            labels = self.read_inputs(b, x) if block.kind.reads_inputs else targets.labels[..., these]
            rows = block.kind.row_losses(out, labels)  # [R, B, T]
            parts.append(rows.mean(1) if targets.weights is None else (rows * targets.weights[..., these]).sum(1))
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    def task_parameters(self, task: str) -> list[Tensor]:
        """Views of the parameters that belong to one task's head, in each of the R runs."""
        return self.place[task][0].task_parameters(task)

    def parameter_count(self) -> int:
        """How many numbers one run learns in trunk and heads; what only pads a head to its block's width is none."""
        runs = self.label_mean.shape[0]
        count = sum(p.numel() for p in self.sharing.parameters()) // runs
        for block in self.blocks:
            for task, spec in zip(block.tasks, block.specs, strict=True):
                own = self.task_parameters(task)
                if not own:
                    continue
                last = own[len(own) // 2 - 1]  # weights come before biases, as many
                count += sum(p.numel() for p in own) // runs - (block.outputs - spec.outputs) * (last.shape[-2] + 1)
        return count

    def trunk_axes(self) -> dict[str, tuple[Sequence[str], int]]:
        """For every parameter of the trunk of which each task has its own part, by name: the tasks, and their axis."""
        return {f"sharing.{name}": axes for name, axes in self.sharing.task_axes().items()}

    def rate_factors(self) -> dict[str, Sequence[float]]:
        """Factors on the trunk's rate, one for each run, of parameters of the trunk that have them, by name."""
        return {f"sharing.{name}": factors for name, factors in self.sharing.rate_factors().items()}

    def shrink(self, rates: Tensor) -> None:
        """The proximal step of the scheme's penalty, at the trunk's rates `[R]`."""
        groups = self._first_layers()
        joined = [torch.cat(parts, 1) if len(parts) > 1 else parts[0] for parts in groups]
        self.sharing.shrink(rates, joined)
        for parts, whole in zip(groups, joined, strict=True):
            if len(parts) > 1:
                for part, own in zip(parts, whole.split([p.shape[1] for p in parts], 1), strict=True):
                    part.copy_(own)

    def figures(self) -> dict[str, Tensor]:
        """What is to be logged of how tasks share, by metric: `[R]`, or `[R, T]` with a number for each task."""
        return self.sharing.figures() | self.sharing.penalty_figures(
            [torch.cat(parts, 1) for parts in self._first_layers()]
        )

    def _first_layers(self) -> list[list[Tensor]]:
        """Where the trunk has no layers, the weights with which heads read the inputs, `[R, T, in, out]` a block: of
        like heads, of tasks of one type with as many outputs, together."""
        groups: dict[tuple[type, int], list[Tensor]] = {}
        for block in self.blocks:
            if len(self.sharing.widths) == 1 and isinstance(block, HeadBlock) and block.specs[0].trunk.at != NOTHING:
                weight = block.weights[0].detach().movedim(block.task_axes[0], 1)[:, :, : self.sharing.widths[0]]
                groups.setdefault((type(block.kind), weight.shape[3]), []).append(weight)
        return list(groups.values())

    def head_axes(self) -> dict[str, tuple[list[str], int]]:
        """For every parameter of a head, by name: its tasks, and the axis along which they stand."""
        return {
            f"heads.{b}.{kind}.{layer}": (block.tasks, axis)
            for b, block in enumerate(self.blocks)
            for kind in ("weights", "biases")
            for layer, axis in enumerate(block.task_axes)
        }


def _blocks(graph: Graph, specs: Mapping[str, TaskSpec]) -> list[list[str]]:
    """Tasks whose heads can be computed together, sources before receivers.

    A head that receives estimates is a block of its own; so is one with an explicit trunk edge, one that another task
    has too, and that task.
    """
    tied = {s.head for s in specs.values() if s.head} | {s.name for s in specs.values() if s.head}
    blocks: dict[tuple[object, ...], list[str]] = {}
    for level, names in enumerate(graph.levels):
        for name in names:
            alone = name if graph.into(name) or graph.trunk[name].explicit or name in tied else ""
            spec = specs[name]
            own = tuple(spec.columns or ())
            blocks.setdefault((level, spec.type, spec.loss, own, graph.trunk[name].at, alone), []).append(name)
    return list(blocks.values())
