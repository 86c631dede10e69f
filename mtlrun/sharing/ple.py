"""Progressive layered extraction."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from mtlrun.config.schema.sharing import PleConfig
from mtlrun.model.trunks import Noise
from mtlrun.sharing.base import Plan, Sharing
from mtlrun.sharing.experts import Experts, Gates, mixed, own_names, shared_names


class Ple(Sharing):
    """`Cgc` on every level. A level is a layer of the trunk (Tang et al., RecSys 2020, eq. 4 to 6).

    Each level has S shared experts and K experts for each task, of one layer each. A task's gate mixes the shared and
    the task's experts; the task's experts and gate of the next level read this mixture. A shared gate mixes all
    experts, for the shared experts and the shared gate of the next level. The last level has no shared gate. With one
    layer this is `Cgc`. Changed from the paper: gates have a bias, as in `Cgc`.
    """

    gated: ClassVar[bool] = True

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        config = plan.configs[0]
        assert isinstance(config, PleConfig)
        self.tasks, self.widths = list(plan.tasks), [plan.inputs, *plan.model.hidden]
        shared, own, tasks = config.shared_experts, config.task_experts, self.tasks
        # experts have the layers and names of whole trunks, but read other features
        self.shared = Experts(plan, shared_names(shared), [shared])
        self.own = Experts(plan, own_names(tasks, own), [len(tasks), own]) if own else None
        self.gate, self.shared_gate = nn.ModuleList(), nn.ModuleList()
        for i, width in enumerate(self.widths[:-1], 1):
            level = "" if i == 1 else f".level{i}"
            self.gate.append(Gates(plan, [f"trunk.gate.{task}{level}" for task in tasks], width, shared + own))
            if i < len(self.widths) - 1:
                every = shared + own * len(tasks)
                self.shared_gate.append(Gates(plan, [f"trunk.shared_gate{level}"], width, every))
        names = [f"shared{k}" for k in range(shared)]
        self.names = names + [f"own{k}" for k in range(own)]
        self.all_names = names + [f"{task}_own{k}" for task in tasks for k in range(own)]

    def forward(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        """Inputs `[R, B, D]` → the inputs, then each task's mixture after every layer, `[R, T, B, H]`."""
        return [x, *(mixture for mixture, _, _ in self._levels(x, noise))]

    def _levels(self, x: Tensor, noise: Noise | None) -> list[tuple[Tensor, Tensor, Tensor | None]]:
        """Returns for each level the mixtures, their gates `[R, T, B, S + K]`, and the shared gate `[R, 1, B, N]`."""
        mixture, shared, levels = x.unsqueeze(1), x.unsqueeze(1), []
        for i in range(1, len(self.widths)):
            of_shared = self.shared.layer(i, shared, noise)
            of_own = None if self.own is None else self.own.layer(i, mixture, noise)
            gates = self.gate[i - 1](x if i == 1 else mixture)
            mixture, all_gates = mixed(gates, of_shared, of_own), None
            if i < len(self.widths) - 1:
                all_gates = self.shared_gate[i - 1](shared)
                shared = mixed(all_gates, of_shared if of_own is None else torch.cat([of_shared, of_own], 1))
            levels.append((mixture, gates, all_gates))
        return levels

    def task_axes(self) -> dict[str, tuple[Sequence[str], int]]:
        """The last level's gates and experts, and the gates of the level before it.

        All earlier parameters reach other tasks through a shared gate.
        """
        last = len(self.gate) - 1
        own = (f"gate.{last - 1}.", f"gate.{last}.", f"own.weights.{last}.", f"own.biases.{last}.")
        return {n: (self.tasks, 1) for n, _ in self.named_parameters() if f"{n}.".startswith(own)}

    def gates(self, x: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for i, (_, gates, all_gates) in enumerate(self._levels(x, None), 1):
            found |= {f"gate_level{i}_{n}": g for n, g in zip(self.names, gates.unbind(-1), strict=True)}
            if all_gates is not None:
                every = zip(self.all_names, all_gates[:, 0].unbind(-1), strict=True)
                found |= {f"gate_level{i}_all_{name}": share for name, share in every}
        return found

    def describe(self) -> str:
        own = "" if self.own is None else f" and {len(self.own.names) // len(self.tasks)} for each task"
        numbers = (sum(p[0].numel() for p in layer) for layer in self.shared.layers)
        each = " and ".join(f"{n // len(self.shared.names):,}" for n in numbers)
        gates = sum(p[0].numel() for group in (self.gate, self.shared_gate) for p in group.parameters())
        levels = f"{len(self.widths) - 1} levels of {len(self.shared.names)} shared experts"
        return f"{levels}{own}, {each} parameters each; gates {gates:,}"
