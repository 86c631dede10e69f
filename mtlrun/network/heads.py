"""Heads: one small network per task, kept in blocks of like heads so that a block is a few large operations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtlrun.config.graph import TaskEdge, TrunkEdge
from mtlrun.config.schema import ModelConfig
from mtlrun.model.layers import ACTIVATIONS, OwnCopies, uniform
from mtlrun.tasks import TaskType
from mtlrun.util.errors import RequestError


@dataclass(frozen=True)
class HeadSpec:
    """What a head is built from: its task, how many outputs, and what it reads."""

    task: str
    outputs: int
    trunk: TrunkEdge
    edges: tuple[TaskEdge, ...] = ()


class HeadBlock(nn.Module):
    """The heads of T tasks of one type that read the same trunk layer in the same way.

    Parameters, with T the axis of tasks (K is the largest number of outputs, the rest is padded):
    first layer `[R, in, T, H]` and `[R, 1, T, H]`, further ones `[R, T, H, H']` and `[R, T, H']`,
    last `[R, T, H, K]` and `[R, T, K]`; without hidden layers the first is the last. `task_axes` says
    for each layer where T stands. A head that receives estimates is alone in its block, and its
    first layer reads [features, estimates].
    """

    pad: Tensor | None

    def __init__(
        self,
        kind: TaskType,
        specs: Sequence[HeadSpec],
        config: ModelConfig,
        seeds: Sequence[int],
        features: int,
        received: int,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.specs = list(specs)
        self.tasks = [s.task for s in specs]
        self.outputs = max(s.outputs for s in specs)
        self.activation = ACTIVATIONS[config.activation]
        widths = [*config.head_hidden, self.outputs]
        self.task_axes: list[int] = []
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        fan_in = features
        for layer, width in enumerate(widths):
            last = layer == len(widths) - 1
            # A padded output gets weights that nothing reads: drawn with the task's own number of outputs,
            # so that a task's initial values do not depend on its neighbours.
            sizes = [s.outputs if last else width for s in specs]
            weight = [
                self._draw(seeds, s, f"layer{layer}.weight", fan_in, n, width)
                for s, n in zip(specs, sizes, strict=True)
            ]
            bias = [
                self._draw(seeds, s, f"layer{layer}.bias", 1, n, width, fan_in or received)
                for s, n in zip(specs, sizes, strict=True)
            ]
            if layer == 0:
                if received:
                    extra = self._draw(
                        seeds, specs[0], "received.weight", received, sizes[0], width, features + received
                    )
                    weight = [torch.cat([weight[0], extra], 1)]
                self._add(torch.stack(weight, 2), torch.stack(bias, 2), task_axis=2)  # [R, in, T, H], [R, 1, T, H]
            else:
                self._add(
                    torch.stack(weight, 1), torch.stack(bias, 1).squeeze(2), task_axis=1
                )  # [R, T, H, H'], [R, T, H']
            fan_in = width
        self.layers = list(zip(self.weights, self.biases, strict=True))  # ParameterList is slow to walk
        pad = torch.zeros(len(specs), self.outputs)
        for t, spec in enumerate(specs):
            pad[t, spec.outputs :] = -torch.inf
        self.register_buffer("pad", pad if bool((pad < 0).any()) else None, persistent=False)  # no axis R, no state

    @staticmethod
    def _draw(
        seeds: Sequence[int], spec: HeadSpec, name: str, rows: int, columns: int, width: int, fan_in: int | None = None
    ) -> Tensor:
        values = uniform(seeds, f"heads.{spec.task}.{name}", (rows, columns), fan_in or rows)
        return nn.functional.pad(values, (0, width - columns))

    def _add(self, weight: Tensor, bias: Tensor, task_axis: int) -> None:
        for values, group in ((weight, self.weights), (bias, self.biases)):
            group.append(nn.Parameter(values.contiguous()))
        self.task_axes.append(task_axis)

    def task_parameters(self, task: str) -> list[Tensor]:
        """Views of one task's parameters in every run, weights and then biases."""
        at = self.tasks.index(task)
        pairs = [*zip(self.weights, self.task_axes, strict=True), *zip(self.biases, self.task_axes, strict=True)]
        return [parameter.select(axis, at) for parameter, axis in pairs]

    def forward(self, x: Tensor, tape: list[Tensor] | None = None) -> tuple[Tensor, Tensor | None]:
        """x `[R, B, in]` → outputs `[R, B, T, K]` and the last hidden layer `[R, B, T, H]` (None for a linear head).

        x may be `[R, T, B, in]`: features that are each task's own; or one tensor expanded, and then every task's
        gradient is with respect to a copy of its own.
        A `tape` is filled with every hidden layer.
        """
        runs, batch, tasks = x.shape[0], x.shape[-2], len(self.tasks)
        (weight, bias), *further = self.layers
        if x.dim() == 4 and x.stride(1) != 0:  # expanded along T it has a stride of 0
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


class TiedBlock(nn.Module):
    """A task whose output another task's head computes, from its own features and estimates: no parameters."""

    task_axes: tuple[int, ...] = ()

    def __init__(self, kind: TaskType, spec: HeadSpec, owner: str) -> None:
        super().__init__()
        self.kind, self.specs, self.tasks, self.outputs = kind, [spec], [spec.task], spec.outputs
        self.owner = owner
        self._block: list[HeadBlock] = []  # in a list, as it is no part of this module

    def tie(self, blocks: Iterable[nn.Module]) -> None:
        """Find the block of the head's owner, which it has to itself.

        Raises RequestError where the two heads do not read as many numbers, or put out others.
        """
        (block,) = [b for b in blocks if isinstance(b, HeadBlock) and b.tasks == [self.owner]]
        own, (its,) = self.specs[0], block.specs
        key = f"tasks.{own.task}.head"
        if own.outputs != its.outputs:
            raise RequestError(
                f"{key}: {self.owner} has {its.outputs} outputs, {own.task} {own.outputs}\n"
                "allowed: a task with the same classes"
            )
        for what, mine, other in (
            ("layer", own.trunk.at, its.trunk.at),
            (
                "sources",
                [(e.source, e.what == "embedding") for e in own.edges],
                [(e.source, e.what == "embedding") for e in its.edges],
            ),
        ):
            if mine != other:
                raise RequestError(
                    f"{key}: {self.owner} reads other {what} than {own.task}\n"
                    f"give both the same in graph.receives, or leave {key} out"
                )
        self._block = [block]

    def task_parameters(self, task: str) -> list[Tensor]:
        """None: they are the owner's."""
        return []

    def forward(self, x: Tensor, tape: list[Tensor] | None = None) -> tuple[Tensor, Tensor | None]:
        """As `HeadBlock.forward`, for one task."""
        found: tuple[Tensor, Tensor | None] = self._block[0](x, tape)
        return found
