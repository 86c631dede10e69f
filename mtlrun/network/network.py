"""The network of a stack: encoder, trunk, and heads connected by the graph."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlrun.config.graph import NOTHING, Graph
from mtlrun.config.schema import ModelConfig
from mtlrun.model.layers import GradientScale
from mtlrun.model.trunks import Noise
from mtlrun.network.assembly import TaskSpec, make_blocks
from mtlrun.network.block import Block
from mtlrun.network.constants import Constants
from mtlrun.network.inputs import InputEncoder
from mtlrun.network.supervision import LabelStatistics, Targets, repeated
from mtlrun.network.task_edges import Sent
from mtlrun.sharing.base import PulledBack, Sharing


class Network(nn.Module):
    """Trunk and heads of R runs of the same shapes. Their graphs may differ only in gradient factors.

    tasks: in the order of the losses; place: block and place in it, by task; order: tasks along T, in figures of the
    sharing scheme

    members: k; of an ensemble (`Trunk.members`), features and heads have k·B rows for a batch of B. A loss is the mean
    over the members' losses. Each type pools the members' outputs. Edges carry each member's estimate.
    """

    label_mean: Tensor
    label_inverse: Tensor
    label_range: Tensor | None  # [R, T, 2], infinite for a task whose predictions are not clipped

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
        self.graph, self.encoder, self.sharing, self.members = graphs[0], encoder, sharing, sharing.members
        self.blocks = make_blocks(encoder, sharing, specs, graphs, config, seeds)
        self.heads = nn.ModuleList(self.blocks)
        self.edges = [edge for block in self.blocks for edge in block.edges]
        self.place: dict[str, tuple[Block, int]] = {t: (b, i) for b in self.blocks for i, t in enumerate(b.tasks)}
        self.tasks = list(self.place)
        self.order = list(sharing.tasks or [spec.name for spec in specs])
        self.constants = Constants(self.graph.constants)
        # Edges carry a regression's estimate standardised, even if its labels are in raw units.
        self.register_buffer("label_mean", torch.zeros(len(seeds), len(self.tasks)))
        self.register_buffer("label_inverse", torch.ones(len(seeds), len(self.tasks)))
        self.raw_labels = False
        every = torch.tensor([-torch.inf, torch.inf]).repeat(len(seeds), len(self.tasks), 1)
        self.register_buffer("label_range", every if config.clip_outputs else None)

    @property
    def scales(self) -> list[GradientScale]:
        """All gradient factors in the network."""
        of_trunk = [block.trunk_scale for block in self.blocks if block.trunk_scale is not None]
        return [*of_trunk, *(edge.scale for edge in self.edges)]

    @property
    def pulls_back(self) -> bool:
        """Whether gradients by task can be computed without one autograd pass through the trunk per task.

        Requires that no loss holds anything constant, and that every task has its own head that reads a layer. A task
        must not learn through another task's head if not all read the same features.
        """
        plain = all(not block.owner and block.layer != NOTHING for block in self.blocks)
        apart = bool(self.sharing.parts) and any(edge.scale.constant != 0 for edge in self.edges)
        return isinstance(self.sharing, PulledBack) and not self.graph.constants and plain and not apart

    def forward(self, x: Tensor, targets: Targets | None = None, noise: Noise | None = None) -> list[Tensor]:
        """Encoded inputs `[R, B, D]` → outputs `[R, B, T, K]` of each block.

        `targets` are given only while training: an edge that carries labels then carries the observed ones, and outputs
        are those of the members, `[R, k·B, T, K]`.
        """
        return self.of_shown(self.encoder.shown(x), targets, noise)

    def of_shown(self, x: Tensor, targets: Targets | None = None, noise: Noise | None = None) -> list[Tensor]:
        """As `forward`, from the encoded inputs without hidden columns."""
        features = self.sharing(x, noise)
        for i, h in enumerate(features):
            self.constants.hold(f"layer{i}", h)
        outputs = self.outputs([block.read(features) for block in self.blocks], targets)
        return outputs if targets is not None or self.members == 1 else _pooled(self.blocks, outputs, self.members)

    def outputs(
        self, read: Sequence[Tensor], targets: Targets | None = None, tapes: Sequence[list[Tensor]] | None = None
    ) -> list[Tensor]:
        """Features that each block reads, see `Block.read` → its outputs `[R, k·B, T, K]`.

        Hidden layers `[R, k·B, T, H]` of each block are appended to its tape in `tapes`.
        """
        if targets is not None and self.edges:
            targets = targets.of_members(self.members)
        labels = LabelStatistics(self.label_mean, self.label_inverse) if self.raw_labels else None
        sent: dict[str, Sent] = {}  # by task
        outputs: list[Tensor] = []
        for b, (block, h) in enumerate(zip(self.blocks, read, strict=True)):
            if block.trunk_scale is not None:
                h = block.trunk_scale(h)
            received = [edge(sent[edge.source.task], targets, labels) for edge in block.edges]
            out, hidden = block(torch.cat([h, *received], -1) if received else h, tapes[b] if tapes else None)
            for i, task in enumerate(block.tasks):
                self.constants.hold(task, out, i)
                self.constants.hold(task, hidden, i)
            sent |= dict.fromkeys(block.tasks, Sent(out, hidden))
            outputs.append(out)
        return outputs

    def predictions(self, x: Tensor) -> list[Tensor]:
        """As `forward`, clipped."""
        return self.clipped(self(x))

    def clipped(self, outputs: Sequence[Tensor]) -> list[Tensor]:
        """Returns the outputs `[R, B, T, K]` of each block, numbers within the range of the run's training labels.

        Does nothing without model.clip_outputs. Losses in training and estimates along edges are not clipped.
        """
        if self.label_range is None:
            return list(outputs)
        bounds = [self.label_range[:, None, block.columns] for block in self.blocks]  # [R, 1, T, 2]
        return [
            out.clamp(own[..., :1], own[..., 1:]) if block.outputs == 1 else out
            for block, out, own in zip(self.blocks, outputs, bounds, strict=True)
        ]

    def losses(self, x: Tensor, targets: Targets, noise: Noise | None = None) -> Tensor:
        """Returns losses `[R, T]`: means over observed labels of a batch; 0, without gradient, if none."""
        return self.losses_of(self(x, targets, noise), x, targets)

    def losses_of(self, outputs: Sequence[Tensor], x: Tensor, targets: Targets) -> Tensor:
        """As `losses`, from the outputs `[R, k·B, T, K]` of each block."""
        targets = targets.of_members(self.members)
        if any(block.kind.reads_inputs for block in self.blocks):
            x = repeated(x, self.members)
        parts = [block.losses(out, x, targets) for block, out in zip(self.blocks, outputs, strict=True)]
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    # -------------------------------------------------- parameters

    def task_parameters(self, task: str) -> list[Tensor]:
        """Returns views of the parameters of one task's head, in all R runs."""
        return self.place[task][0].task_parameters(task)

    def parameter_count(self) -> int:
        """Returns the number of parameters of trunk and heads of one run."""
        trunk = sum(p[0].numel() for p in self.sharing.parameters())
        return trunk + sum(block.parameter_count() for block in self.blocks)

    def trunk_axes(self) -> dict[str, tuple[Sequence[str], int]]:
        """Returns tasks and their axis, by name of a trunk parameter that has a separate part for each task."""
        return {f"sharing.{name}": axes for name, axes in self.sharing.task_axes().items()}

    def head_axes(self) -> dict[str, tuple[list[str], int]]:
        """Returns tasks and their axis, by name of a parameter of heads."""
        return {
            f"heads.{b}.{kind}.{layer}": (block.tasks, axis)
            for b, block in enumerate(self.blocks)
            for kind in ("weights", "biases")
            for layer, axis in enumerate(block.task_axes)
        }

    def rate_factors(self) -> dict[str, Sequence[float]]:
        """Returns factors on the trunk's rate, one for each run, by name of the trunk parameters that have them."""
        return {f"sharing.{name}": factors for name, factors in self.sharing.rate_factors().items()}


def _pooled(blocks: Sequence[Block], outputs: Sequence[Tensor], members: int) -> list[Tensor]:
    """Returns outputs `[R, B, T, K]` of each block, from those of the members `[R, k·B, T, K]`."""
    apart = [out.view(out.shape[0], members, -1, *out.shape[2:]) for out in outputs]
    return [block.kind.pooled(out) for block, out in zip(blocks, apart, strict=True)]
