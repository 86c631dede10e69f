"""The settings of the group `graph`: edges as the user wrote them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mtlrun.config.fields import bounded


@dataclass(frozen=True, kw_only=True)
class ReverseConfig:
    """λ of `reverse`: `strength`, constant, or times the ramp 2/(1+exp(−10p))−1 over the run (p from 0 to 1)."""

    strength: float = bounded(1.0, at_least=0.0)
    schedule: Literal["constant", "ramp"] = "constant"


@dataclass(frozen=True, kw_only=True)
class GraphConfig:
    """Edges in addition to the default (every task reads the last layer of the trunk), and constants of losses by task.

    `edge_parser.py` makes a `Graph` of them. Runs can share a stack if their graphs differ only in the gradients.
    """

    name: Literal["none"] = "none"
    gradient: Any = "stop"
    what: Literal["prediction", "logits", "embedding", "label"] = "prediction"
    receives: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    reverse: ReverseConfig = field(default_factory=ReverseConfig)

    @property
    def has_edges(self) -> bool:
        """Whether there are edges, from the user or from the option."""
        return bool(self.receives)

    def default_edges(self, tasks: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The edges of the option: receiver -> source -> edge. `receives` is applied after them."""
        return {}


@dataclass(frozen=True, kw_only=True)
class ChainGraphConfig(GraphConfig):
    """Each task receives all tasks before it."""

    name: Literal["chain"] = "chain"  # type: ignore[assignment]

    @property
    def has_edges(self) -> bool:
        return True

    def default_edges(self, tasks: Sequence[str]) -> dict[str, dict[str, Any]]:
        return {task: dict.fromkeys(tasks[:i], self.gradient) for i, task in enumerate(tasks)}
