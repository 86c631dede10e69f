"""Learnt heads: one small network per task. A block of similar heads takes a few large operations."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from mtlrun.config.graph import NOTHING
from mtlrun.config.schema import ModelConfig
from mtlrun.model.layers import ACTIVATIONS, OwnCopies, uniform
from mtlrun.network.block import Block, BlockSpec
from mtlrun.network.task_edges import EDGES
from mtlrun.util.errors import RequestError


class HeadBlock(Block):
    """Heads with parameters.

    Weights and biases: first layer `[R, in, T, H]` and `[R, 1, T, H]`, further layers `[R, T, H, H']` and `[R, T, H']`,
    last layer `[R, T, H, K]` and `[R, T, K]`. Without hidden layers, the last layer has the shapes of the first. K is
    the largest number of outputs; other heads are padded. `task_axes` gives the axis T of each layer. A head that
    receives estimates is alone in its block, and its first layer reads [features, estimates].
    """

    pad: Tensor | None

    def __init__(self, spec: BlockSpec, config: ModelConfig, seeds: Sequence[int]) -> None:
        super().__init__(spec)
        self.activation = ACTIVATIONS[config.activation]
        self.task_axes: list[int] = []
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        inputs, widths = spec.features, [*config.head_hidden, self.outputs]
        for i, width in enumerate(widths):
            sizes = [head.outputs if i == len(config.head_hidden) else width for head in self.specs]
            weights = self._drawn(seeds, f"layer{i}.weight", inputs, sizes, width, inputs)
            biases = self._drawn(seeds, f"layer{i}.bias", 1, sizes, width, inputs or spec.received)
            if i == 0 and spec.received:
                fan_in = spec.features + spec.received
                extra = self._drawn(seeds, "received.weight", spec.received, sizes, width, fan_in)
                weights = [torch.cat(parts, 1) for parts in zip(weights, extra, strict=True)]
            if i == 0:
                self._add(torch.stack(weights, 2), torch.stack(biases, 2), task_axis=2)
            else:
                self._add(torch.stack(weights, 1), torch.cat(biases, 1), task_axis=1)
            inputs = width
        self.layers = list(zip(self.weights, self.biases, strict=True))  # ParameterList is slow to walk
        pad = torch.zeros(len(self.specs), self.outputs)
        for t, head in enumerate(self.specs):
            pad[t, head.outputs :] = -torch.inf
        self.register_buffer("pad", pad if bool((pad < 0).any()) else None, persistent=False)  # no axis R, no state

    def _drawn(
        self, seeds: Sequence[int], name: str, rows: int, sizes: Sequence[int], width: int, fan_in: int
    ) -> list[Tensor]:
        """Returns initial values `[R, rows, width]` of each task's head, 0 from column `sizes[t]` on.

        Only the numbers that a task needs are drawn, so its initial values do not depend on the other heads of the
        block. Nothing reads the padding.
        """
        drawn = []
        for head, size in zip(self.specs, sizes, strict=True):
            values = uniform(seeds, f"heads.{head.task}.{name}", (rows, size), fan_in)
            drawn.append(nn.functional.pad(values, (0, width - size)))
        return drawn

    def _add(self, weight: Tensor, bias: Tensor, task_axis: int) -> None:
        self.weights.append(nn.Parameter(weight.contiguous()))
        self.biases.append(nn.Parameter(bias.contiguous()))
        self.task_axes.append(task_axis)

    def task_parameters(self, task: str) -> list[Tensor]:
        """Returns views of one task's parameters in every run, first weights, then biases."""
        at = self.tasks.index(task)
        pairs = [*zip(self.weights, self.task_axes, strict=True), *zip(self.biases, self.task_axes, strict=True)]
        return [parameter.select(axis, at) for parameter, axis in pairs]

    def parameter_count(self) -> int:
        """Returns the number of parameters of one run, without padding to the block's width."""
        of_output = self.weights[-1].shape[-2 if len(self.weights) > 1 else 1] + 1
        padded = sum(self.outputs - head.outputs for head in self.specs)
        return sum(p[0].numel() for p in self.parameters()) - padded * of_output

    def input_weights(self, inputs: int) -> Tensor | None:
        """Returns the weights `[R, T, in, out]` on its first `inputs` inputs; None if it does not read the trunk."""
        if self.layer == NOTHING:
            return None
        return self.weights[0].detach().movedim(self.task_axes[0], 1)[:, :, :inputs]

    def forward(self, x: Tensor, tape: list[Tensor] | None = None) -> tuple[Tensor, Tensor | None]:
        """As `Block.forward`; the last hidden layer is None for a linear head."""
        runs, batch, tasks = x.shape[0], x.shape[-2], len(self.tasks)
        (weight, bias), *further = self.layers
        if x.dim() == 4 and x.stride(1) != 0:  # stride 0: expanded along T
            of_tasks = torch.matmul(x, weight.transpose(1, 2)) + bias.transpose(1, 2)  # [R, T, B, H]
            h = of_tasks.transpose(1, 2)
        elif x.dim() == 4:
            h = OwnCopies.apply(x, weight, bias).view(runs, batch, tasks, -1)
        else:
            h = torch.baddbmm(bias.flatten(2), x, weight.flatten(2)).view(runs, batch, tasks, -1)
        hidden = None
        for weight, bias in further:
            hidden = self.activation(h)
            if tape is not None:
                tape.append(hidden)
            if weight.shape[-1] == 1:
                # a batched product with one column is slower than this
                h = ((hidden * weight.squeeze(-1).unsqueeze(1)).sum(-1) + bias.squeeze(-1).unsqueeze(1)).unsqueeze(-1)
            else:
                per_task = hidden.transpose(1, 2).reshape(runs * tasks, batch, -1)
                product = torch.baddbmm(bias.flatten(0, 1).unsqueeze(1), per_task, weight.flatten(0, 1))
                h = product.view(runs, tasks, batch, -1).transpose(1, 2)
        if self.pad is not None:
            h = h + self.pad
        return h, hidden


class TiedBlock(Block):
    """A task that uses another task's head on its own features and estimates. It has no parameters."""

    def __init__(self, spec: BlockSpec, owner: str) -> None:
        super().__init__(spec)
        self.owner = owner
        self._block: list[Block] = []  # a list keeps it from becoming a submodule

    def tie(self, blocks: Iterable[Block]) -> None:
        """Finds the block of the head's owner, in which the owner is alone.

        Raises RequestError if the two tasks differ in outputs, or in what their heads read.
        """
        (block,) = [b for b in blocks if b.tasks == [self.owner]]
        mine, (its,) = self.specs[0], block.specs
        key = f"tasks.{mine.task}.head"
        if mine.outputs != its.outputs:
            raise RequestError(
                f"{key}: {self.owner} has {its.outputs} outputs, {mine.task} {mine.outputs}\n"
                "allowed: a task with the same classes"
            )
        for what, here, there in (
            ("layer", mine.trunk.at, its.trunk.at),
            (
                "sources",
                [(e.source, EDGES[e.what].of_hidden) for e in mine.edges],
                [(e.source, EDGES[e.what].of_hidden) for e in its.edges],
            ),
        ):
            if here != there:
                raise RequestError(
                    f"{key}: {self.owner} reads other {what} than {mine.task}\n"
                    f"give both the same in graph.receives, or leave {key} out"
                )
        self._block = [block]

    def forward(self, x: Tensor, tape: list[Tensor] | None = None) -> tuple[Tensor, Tensor | None]:
        """As `HeadBlock.forward`, for one task."""
        result: tuple[Tensor, Tensor | None] = self._block[0](x, tape)
        return result
