"""The settings of the group `graph`: edges as they are written."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mtlrun.config.fields import bounded


@dataclass(frozen=True, kw_only=True)
class ReverseConfig:
    """λ of `reverse`: `strength`, constant or ramped as 2/(1+exp(−10p))−1 over the run (p from 0 to 1)."""

    strength: float = bounded(1.0, at_least=0.0)
    schedule: Literal["constant", "ramp"] = "constant"


@dataclass(frozen=True, kw_only=True)
class GraphConfig:
    """Edges beyond the default one (every task reads the trunk's last layer), and by task what its loss holds constant.

    `edge_parser.py` makes a `Graph` of them. Runs share a stack if they have the same graph but for its gradients.
    """

    name: Literal["none"] = "none"
    gradient: Any = "stop"
    what: Literal["prediction", "logits", "embedding", "label"] = "prediction"
    receives: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    reverse: ReverseConfig = field(default_factory=ReverseConfig)

    @property
    def has_edges(self) -> bool:
        """Whether some edge is written, or comes with the option."""
        return bool(self.receives)

    def default_edges(self, tasks: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The edges that come with the option, by receiver and source, before those of `receives`."""
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
