"""The network of a stack: encoder, trunk and heads along the graph."""

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
from mtlrun.network.supervision import LabelStatistics, Targets
from mtlrun.network.task_edges import Sent
from mtlrun.sharing.base import Sharing


class Network(nn.Module):
    """Trunk and heads of R runs of the same shapes; their graphs may differ in gradient scales only.

    tasks: in the order of the losses; place: of each task, its block and its place there; order: the tasks along the
    axis of features of which each task has its own
    """

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
        self.graph, self.encoder, self.sharing = graphs[0], encoder, sharing
        self.blocks = make_blocks(encoder, sharing, specs, graphs, config, seeds)
        self.heads = nn.ModuleList(self.blocks)
        self.edges = [edge for block in self.blocks for edge in block.edges]
        self.place: dict[str, tuple[Block, int]] = {t: (b, i) for b in self.blocks for i, t in enumerate(b.tasks)}
        self.tasks = list(self.place)
        self.order = list(sharing.tasks or [spec.name for spec in specs])
        self.constants = Constants(self.graph.constants)
        # A regression's estimate is passed on standardised, also where its labels are in raw units.
        self.register_buffer("label_mean", torch.zeros(len(seeds), len(self.tasks)))
        self.register_buffer("label_inverse", torch.ones(len(seeds), len(self.tasks)))
        self.raw_labels = False

    @property
    def scales(self) -> list[GradientScale]:
        """Every gradient factor in the network."""
        of_trunk = [block.trunk_scale for block in self.blocks if block.trunk_scale is not None]
        return [*of_trunk, *(edge.scale for edge in self.edges)]

    @property
    def pulls_back(self) -> bool:
        """Whether gradients by task are to be had without autograd's passes through the trunk: every loss moves all
        that it reaches, through heads of its own that read a layer."""
        plain = all(not block.owner and block.layer != NOTHING for block in self.blocks)
        return self.sharing.pulls_back and not self.graph.constants and plain

    def forward(self, x: Tensor, targets: Targets | None = None, noise: Noise | None = None) -> list[Tensor]:
        """Encoded inputs `[R, B, D]` → outputs `[R, B, T, K]` of each block.

        `targets` are given while training only: an edge that passes labels then passes the observed ones.
        """
        return self.of_shown(self.encoder.shown(x), targets, noise)

    def of_shown(self, x: Tensor, targets: Targets | None = None, noise: Noise | None = None) -> list[Tensor]:
        """The same from what the trunk sees of the encoded inputs."""
        features = self.sharing(x, noise)
        for i, h in enumerate(features):
            self.constants.hold(f"layer{i}", h)
        return self.outputs([block.read(features) for block in self.blocks], targets)

    def outputs(
        self, read: Sequence[Tensor], targets: Targets | None = None, tapes: Sequence[list[Tensor]] | None = None
    ) -> list[Tensor]:
        """The features that each block reads, `[R, B, H]` or as `Block` takes them → its outputs `[R, B, T, K]`.

        `tapes`, one for each block, are filled with its hidden layers, `[R, B, T, H]` each.
        """
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

    def losses(self, x: Tensor, targets: Targets, noise: Noise | None = None) -> Tensor:
        """Losses `[R, T]`: means over the observed labels of a batch; 0, with no gradient, where there are none."""
        return self.losses_of(self(x, targets, noise), x, targets)

    def losses_of(self, outputs: Sequence[Tensor], x: Tensor, targets: Targets) -> Tensor:
        """The same from the outputs of each block."""
        parts = [block.losses(out, x, targets) for block, out in zip(self.blocks, outputs, strict=True)]
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    # -------------------------------------------------- parameters

    def task_parameters(self, task: str) -> list[Tensor]:
        """Views of the parameters that belong to one task's head, in each of the R runs."""
        return self.place[task][0].task_parameters(task)

    def parameter_count(self) -> int:
        """How many numbers one run learns in trunk and heads."""
        trunk = sum(p[0].numel() for p in self.sharing.parameters())
        return trunk + sum(block.parameter_count() for block in self.blocks)

    def trunk_axes(self) -> dict[str, tuple[Sequence[str], int]]:
        """For every parameter of the trunk of which each task has its own part, by name: the tasks, and their axis."""
        return {f"sharing.{name}": axes for name, axes in self.sharing.task_axes().items()}

    def head_axes(self) -> dict[str, tuple[list[str], int]]:
        """For every parameter of a head, by name: its tasks, and the axis along which they stand."""
        return {
            f"heads.{b}.{kind}.{layer}": (block.tasks, axis)
            for b, block in enumerate(self.blocks)
            for kind in ("weights", "biases")
            for layer, axis in enumerate(block.task_axes)
        }

    def rate_factors(self) -> dict[str, Sequence[float]]:
        """Factors on the trunk's rate, one for each run, of parameters of the trunk that have them, by name."""
        return {f"sharing.{name}": factors for name, factors in self.sharing.rate_factors().items()}

    # -------------------------------------------------- penalties

    def shrink(self, rates: Tensor) -> None:
        """The proximal step of the scheme's penalty, at the trunk's rates `[R]`."""
        groups = _input_weights(self)
        joined = [torch.cat(parts, 1) for parts in groups]
        self.sharing.shrink(rates, joined)
        for parts, whole in zip(groups, joined, strict=True):
            for part, shrunk in zip(parts, whole.split([p.shape[1] for p in parts], 1), strict=True):
                part.copy_(shrunk)

    def figures(self) -> dict[str, Tensor]:
        """What is to be logged of how tasks share, by metric: `[R]`, or `[R, T]` with a number for each task."""
        heads = [torch.cat(parts, 1) for parts in _input_weights(self)]
        return self.sharing.figures() | self.sharing.penalty_figures(heads)


def _input_weights(network: Network) -> list[list[Tensor]]:
    """Where the trunk has no layers, the weights with which heads read the inputs, `[R, T, in, out]` a block: of like
    heads, of tasks of one type with as many outputs, together."""
    if len(network.sharing.widths) > 1:
        return []
    groups: dict[tuple[type, int], list[Tensor]] = {}
    for block in network.blocks:
        weight = block.input_weights(network.sharing.widths[0])
        if weight is not None:
            groups.setdefault((type(block.kind), weight.shape[3]), []).append(weight)
    return list(groups.values())
