"""Customised gate control: shared experts, and experts of each task."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from mtlrun.config.schema.sharing import CgcConfig
from mtlrun.model.trunks import Noise
from mtlrun.sharing.base import Plan, Sharing
from mtlrun.sharing.experts import Experts, Gates, mixed, own_names, shared_names


class Cgc(Sharing):
    """S shared experts and K for each task (Tang et al., RecSys 2020, eq. 1 to 3).

        features of t = Σ_e g_te(x) h_e(x)    g_t = softmax(x W_t + b_t), over the shared experts and those of t

    An expert is a whole trunk. A task's gate is the same for all layers: features after layer i mix the experts' layers
    i. Changed from the paper: gates have a bias, as standardised inputs contain no constant.
    """

    gated: ClassVar[bool] = True

    def __init__(self, plan: Plan) -> None:
        config = plan.configs[0]
        assert isinstance(config, CgcConfig)
        self._build(plan, config.shared_experts, config.task_experts)

    def _build(self, plan: Plan, shared: int, own: int) -> None:
        """Builds `shared` experts for all tasks, and `own` for each task."""
        super().__init__()
        self.tasks, self.widths = list(plan.tasks), [plan.inputs, *plan.model.hidden]
        self.shared = Experts(plan, shared_names(shared), [shared])
        self.own = Experts(plan, own_names(self.tasks, own), [len(self.tasks), own]) if own else None
        self.gate = Gates(plan, [f"trunk.gate.{task}" for task in self.tasks], plan.inputs, shared + own)
        self.names = [f"shared{k}" for k in range(shared)] + [f"own{k}" for k in range(own)]

    def forward(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        """Inputs `[R, B, D]` → the inputs, then each task's mixture after every layer, `[R, T, B, H]`."""
        gates, features = self.gate(x), [x]
        shared = own = x.unsqueeze(1)  # [R, 1, B, D]: the same for all experts
        for i in range(1, len(self.widths)):
            shared = self.shared.layer(i, shared, noise)
            own = own if self.own is None else self.own.layer(i, own, noise)
            features.append(mixed(gates, shared, None if self.own is None else own))
        return features

    def task_axes(self) -> dict[str, tuple[Sequence[str], int]]:
        return {n: (self.tasks, 1) for n, _ in self.named_parameters() if n.startswith(("gate.", "own."))}

    def gates(self, x: Tensor) -> dict[str, Tensor]:
        return {f"gate_{name}": share for name, share in zip(self.names, self.gate(x).unbind(-1), strict=True)}

    def describe(self) -> str:
        own = "" if self.own is None else f" and {len(self.own.names) // len(self.tasks)} for each task"
        each = sum(p[0].numel() for p in self.shared.parameters()) // len(self.shared.names)
        gates = sum(p[0].numel() for p in self.gate.parameters())
        return f"{len(self.shared.names)} shared experts{own}, {each:,} parameters each; gates {gates:,}"
