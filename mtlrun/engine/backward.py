"""Computes gradients of the parameters from the losses of a step, in one backward pass or by task."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from mtlrun.config.schema.loss import GradientLossConfig, LossConfig
from mtlrun.engine.flat import Flat
from mtlrun.loss import Strategy
from mtlrun.model.trunks import Factors, Noise
from mtlrun.network.network import Network
from mtlrun.network.supervision import Targets
from mtlrun.sharing import PulledBack

Combine = Callable[[Tensor, Tensor], Tensor]  # weights [R, T], gradients [R, T, D] -> direction [R, D]


class SummedBackward:
    """One backward pass of the weighted sum of the losses."""

    def __init__(self, network: Network, flat: Flat) -> None:
        self.network, self.parameters = network, flat.network_parameters
        self.losses = torch.empty(0)
        self.gramian: Tensor | None = None

    def forward(self, x: Tensor, targets: Targets, noise: Noise | None) -> tuple[Tensor, None]:
        """Losses `[R, T]`, detached."""
        self.losses = self.network.losses(x, targets, noise)
        return self.losses.detach(), None

    def gradients(self, weights: Tensor, of_heads: Tensor | None, combine: Combine) -> list[Tensor]:
        """Returns gradients of the network's parameters, in the order of `Flat`. `weights` `[R, T]` cover heads."""
        # runs share no parameter, so the sum over runs keeps their gradients separate
        total, self.losses = (weights * self.losses).sum(), torch.empty(0)
        return list(torch.autograd.grad(total, self.parameters, allow_unused=True, materialize_grads=True))


class CutBackward:
    """Computes each task's gradient in the shared parameters, `[R, T, D]`, and separately the gradients of the heads.

    The graph is cut where heads read the trunk. Each task reads its own copy of the features there, so one backward
    pass through all heads gives every task's gradient. If an edge from task to task lets gradients pass, it takes a
    pass for each task. `PulledBack.pull_back` continues to the trunk's parameters: for all tasks at once (`at`
    parameters), or for their combination only (`at` representation). Other sharing schemes need `PerTaskBackward`.

    Shared parameters are those of the trunk. With `at` parameters, a head is shared too in the runs in which another
    task learns through its estimate. With `at` representation, such a head gets the weighted sum of its gradients.

    For a strategy that reads only the Gramian of the gradients, `gramian` `[R, T, T]` may replace the gradients: wide
    layers contribute to it through `Factors`, without their gradients.
    """

    def __init__(
        self, network: Network, flat: Flat, at: Literal["parameters", "representation"], gramian_only: bool = False
    ) -> None:
        """`gramian_only`: the Gramian may replace the gradients, and `combine` is their weighted sum."""
        assert isinstance(network.sharing, PulledBack), "pulls_back"
        self.network, self.flat, self.at, self.sharing = network, flat, at, network.sharing
        self.head_parameters = flat.network_parameters[len(flat.shared_parameters) :]
        runs, self.tasks = flat.values.shape[0], network.tasks
        self.live = any(edge.scale.constant != 0 for edge in network.edges)
        self.shared = shared_columns(network, flat)  # [R, P]
        numbers = {"trunk": 0.0} | {t: float(i) for i, t in enumerate(self.tasks)}
        places = flat.spread([numbers] * runs, [0.0] * runs)[:, flat.shared_size : flat.network_size]
        self.task_of = places[0].long()  # the task of each column of the heads
        size = flat.network_size if self.live else flat.shared_size
        # every column is written before it is read; wide layers may leave theirs unwritten, without memory
        self.matrix = flat.values.new_empty(runs, len(self.tasks) if at == "parameters" else 1, size)
        self.factored = gramian_only and at == "parameters" and not self.live
        self.factors: list[Factors] = []
        self.gramian: Tensor | None = None
        self.layers = sorted({block.layer for block in network.blocks})
        self.tape: list[Any] = []
        self.at_features: dict[int, Tensor] = {}  # by layer, [R, T, B, H]
        self.of_heads: list[Tensor] = []

    def forward(self, x: Tensor, targets: Targets, noise: Noise | None) -> tuple[Tensor, Tensor | None]:
        """Returns losses `[R, T]`, detached, and gradients by task `[R, T, D]`, None if `gramian` replaces them."""
        self.tape, self.factors, self.gramian = [], [], None
        with torch.no_grad():
            features = self.sharing(self.network.encoder.shown(x), noise, self.tape)
        if self.live:
            losses = self._pass_by_task(features, x, targets)
        else:
            losses = self._pass_once(features, x, targets)
        if self.at == "parameters":
            self.sharing.pull_back(
                self.tape,
                self.tasks,
                self.at_features,
                self.matrix[..., : self.flat.shared_size],
                self.factors if self.factored else None,
            )
            if not self.factors:
                return losses, self.matrix
            parts = [self.matrix[..., columns] for columns in self._multiplied_out()]
            self.gramian = sum([torch.bmm(part, part.mT).double() for part in parts], self.factors[0].gramian())
            self.gramian = sum([own.gramian() for own in self.factors[1:]], self.gramian)
            return losses, None
        parts = [gradient.flatten(2) for gradient in self.at_features.values()]
        return losses, parts[0] if len(parts) == 1 else torch.cat(parts, 2)

    def _pass_once(self, features: list[Tensor], x: Tensor, targets: Targets) -> Tensor:
        """Takes one backward pass for all tasks. No task learns through another task's head."""
        leaves = []
        for block in self.network.blocks:
            h, count = block.read(features).detach(), len(block.tasks)
            if count > 1 and h.dim() == 3:
                h = h.unsqueeze(1).expand(-1, count, -1, -1)
            leaves.append(h.requires_grad_())
        losses = self.network.losses_of(self.network.outputs(leaves, targets), x, targets)  # [R, T]
        found = torch.autograd.grad(
            losses.sum(), [*leaves, *self.head_parameters], allow_unused=True, materialize_grads=True
        )
        self.of_heads = list(found[len(leaves) :])
        own = iter(found)
        parts: dict[int, list[Tensor]] = {layer: [] for layer in self.layers}
        for block in self.network.blocks:
            at, count = block.layer, len(block.tasks)
            for layer, known in parts.items():
                if layer == at:
                    gradient = next(own)
                    known.append(gradient if gradient.dim() == 4 else gradient.unsqueeze(1))
                else:
                    h = features[layer]
                    known.append(h.new_zeros(h.shape[0], count, *h.shape[-2:]))
        self.at_features = {
            layer: known[0] if len(known) == 1 else torch.cat(known, 1) for layer, known in parts.items()
        }
        return losses.detach()

    def _pass_by_task(self, features: list[Tensor], x: Tensor, targets: Targets) -> Tensor:
        """Takes a backward pass through the heads for each task. `matrix` has columns of the heads too."""
        leaves = {layer: features[layer].detach().requires_grad_() for layer in self.layers}
        read = [leaves[block.layer] for block in self.network.blocks]
        losses = self.network.losses_of(self.network.outputs(read, targets), x, targets)  # [R, T]
        last = len(self.tasks) - 1
        every = [
            torch.autograd.grad(
                losses[:, t].sum(),
                [*leaves.values(), *self.head_parameters],
                retain_graph=t < last,
                allow_unused=True,
                materialize_grads=True,
            )
            for t in range(last + 1)
        ]
        stacked = [torch.stack(parts, 1) for parts in zip(*every, strict=True)]  # [R, T, ...]
        self.at_features = dict(zip(self.layers, stacked, strict=False))
        self.of_heads = [part.flatten(2) for part in stacked[len(self.layers) :]]  # [R, T, p]
        if self.at == "parameters":
            heads = torch.cat(self.of_heads, 2)  # [R, T, P − S]
            self.matrix[..., self.flat.shared_size :] = heads * self.shared[:, None, self.flat.shared_size :]
        return losses.detach()

    def _multiplied_out(self) -> list[slice]:
        """Returns the shared columns of the matrix that hold gradients: those between the columns of factors."""
        ends = [0, *(end for own in reversed(self.factors) for end in (own.columns.start, own.columns.stop))]
        pairs = zip(ends[::2], [*ends[1::2], self.flat.shared_size], strict=True)
        return [slice(start, end) for start, end in pairs if start < end]

    def _from_factors(self, weights: Tensor) -> Tensor:
        """Returns the weighted sum of the gradients of the shared parameters, `[R, S]`."""
        direction = weights.new_empty(weights.shape[0], self.flat.shared_size)
        for columns in self._multiplied_out():
            direction[:, columns] = torch.bmm(weights.unsqueeze(1), self.matrix[..., columns]).squeeze(1)
        for own in self.factors:
            own.combined(weights, direction)
        return direction

    def gradients(self, weights: Tensor, of_heads: Tensor | None, combine: Combine) -> list[Tensor]:
        """Returns gradients of the network's parameters, in the order of `Flat`.

        weights: `[R, T]`, for shared parameters; of_heads: `[R, T]`, for parameters that are not shared, None for 1
        """
        size = self.flat.shared_size
        if self.factors:
            direction = self._from_factors(weights)
        elif self.at == "parameters":
            direction = combine(weights, self.matrix)  # [R, S], or [R, P] where heads are shared
        else:
            direction = self._through_trunk(weights, combine)
        if not self.live:
            if of_heads is None or not self.of_heads:
                return [direction, *self.of_heads]
            heads = torch.cat([part.flatten(1) for part in self.of_heads], 1)  # [R, P − S]
            return [direction, heads * of_heads[:, self.task_of]]
        heads = torch.cat(self.of_heads, 2)  # [R, T, P − S]
        weighted = torch.bmm(weights.unsqueeze(1), heads).squeeze(1)
        shared = direction[:, size:] if self.at == "parameters" else weighted
        own = heads.sum(1) if of_heads is None else torch.bmm(of_heads.unsqueeze(1), heads).squeeze(1)
        return [direction[:, :size], torch.where(self.shared[:, size:], shared, own)]

    def _through_trunk(self, weights: Tensor, combine: Combine) -> Tensor:
        """Returns gradients of the shared parameters, `[R, S]`, from the combined gradient in the features."""
        parts = [gradient.flatten(2) for gradient in self.at_features.values()]
        combined = combine(weights, parts[0] if len(parts) == 1 else torch.cat(parts, 2))  # [R, D]
        by_layer = combined.split([part.shape[2] for part in parts], 1)
        features = {
            layer: piece.view(gradient.shape[0], 1, *gradient.shape[2:])
            for (layer, gradient), piece in zip(self.at_features.items(), by_layer, strict=True)
        }
        out = self.matrix[..., : self.flat.shared_size]
        self.sharing.pull_back(self.tape, self.tasks, features, out)
        return out[:, 0]


class PerTaskBackward:
    """Computes each task's gradient in all parameters, `[R, T, P]`, by one backward pass per task.

    Works with every sharing scheme. Shared are all parameters except the parts that belong to a single task. Such a
    part is shared too if another task learns through the task's estimate (in the runs in which it does), and if it is a
    head that two tasks use. A parameter that a loss holds constant (`graph.constants`) gets no gradient from it.
    """

    gramian: Tensor | None = None

    def __init__(self, network: Network, flat: Flat) -> None:
        self.network, self.flat = network, flat
        self.shared = shared_columns(network, flat)  # [R, P]
        self.every = torch.empty(0)
        constants = network.graph.constants
        self.moved: Tensor | None = None  # [T, P], 0 where a task's loss holds a parameter constant
        if constants:
            groups = {
                task: {"trunk": float("trunk" in constants.get(task, ()))}
                | {t: float(f"heads.{t}" in constants.get(task, ())) for t in network.tasks}
                for task in network.tasks
            }
            runs = flat.values.shape[0]
            held = [flat.spread([groups[task]] * runs, [0.0] * runs)[0, : flat.network_size] for task in network.tasks]
            self.moved = 1 - torch.stack(held)

    def forward(self, x: Tensor, targets: Targets, noise: Noise | None) -> tuple[Tensor, Tensor]:
        """Returns losses `[R, T]`, detached, and gradients by task `[R, T, P]`, 0 in parameters that are not shared."""
        losses = self.network.losses(x, targets, noise)
        last = losses.shape[1] - 1
        rows = []
        for t, task in enumerate(self.network.tasks):
            self.network.constants.going_back = task
            found = torch.autograd.grad(
                losses[:, t].sum(),
                self.flat.network_parameters,
                retain_graph=t < last,
                allow_unused=True,
                materialize_grads=True,
            )
            rows.append(torch.cat([gradient.flatten(1) for gradient in found], 1))
        self.network.constants.going_back = ""
        self.every = torch.stack(rows, 1)
        if self.moved is not None:
            self.every = torch.where(self.moved > 0, self.every, 0.0)  # not times 0: 0 · nan is nan
        return losses.detach(), self.every * self.shared.unsqueeze(1)

    def gradients(self, weights: Tensor, of_heads: Tensor | None, combine: Combine) -> list[Tensor]:
        """As `CutBackward.gradients`, as one tensor."""
        direction = combine(weights, self.every * self.shared.unsqueeze(1))  # [R, P]
        own = self.every.sum(1) if of_heads is None else torch.bmm(of_heads.unsqueeze(1), self.every).squeeze(1)
        return [torch.where(self.shared, direction, own)]


def shared_columns(network: Network, flat: Flat) -> Tensor:
    """Returns which parameters the losses of several tasks reach, `[R, P]` bool."""
    runs, groups = flat.values.shape[0], []
    for r in range(runs):
        passing = {edge.source.task for edge in network.edges if bool(edge.scale.scales[r] != 0)}
        groups.append({"trunk": 1.0} | {task: float(task in passing) for task in network.tasks})
    tied = {block.owner for block in network.blocks}
    of_heads = [{"trunk": 0.0} | {task: float(task in tied) for task in network.tasks}] * runs
    zeros = [0.0] * runs
    reached = flat.spread(groups, zeros, by_owner=True) + flat.spread(of_heads, zeros)
    return reached[:, : flat.network_size] > 0


def make_backward(
    loss: LossConfig, strategy: Strategy, network: Network, flat: Flat
) -> CutBackward | SummedBackward | PerTaskBackward:
    """Returns the backward pass that a step of this strategy takes. `loss`: its settings, the same for all runs."""
    if not strategy.needs_gradients and loss.heads != "own" and not network.graph.constants:
        return SummedBackward(network, flat)
    if not network.pulls_back:
        return PerTaskBackward(network, flat)
    if strategy.needs_gradients:
        assert isinstance(loss, GradientLossConfig), "make_strategy has checked"
        return CutBackward(network, flat, loss.at, strategy.gramian_only)
    # such weights need the losses alone; the cut keeps the weights from the heads
    return CutBackward(network, flat, "parameters" if network.sharing.parts else "representation")
