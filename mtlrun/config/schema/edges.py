"""The settings of the group `graph`: edges as they are written."""

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
    """Edges beyond the default one (every task reads the trunk's last layer), and by task what its loss holds constant;
    see graph.py.

    Runs share a stack if these settings come to the same `graph.Graph`, whose gradients are per run.
    """

    name: Literal["none", "chain"] = "none"
    gradient: Any = "stop"
    what: Literal["prediction", "logits", "embedding", "label"] = "prediction"
    receives: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    reverse: ReverseConfig = field(default_factory=ReverseConfig)
