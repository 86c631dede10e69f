"""The settings of the group `lr`."""

from dataclasses import dataclass
from typing import Any, Literal

from mtlrun.config.fields import bounded, per_run


@dataclass(frozen=True, kw_only=True)
class LrConfig:
    """One rate for all. `warmup` in steps; `decay_every` in epochs; `final` as a share of the rate."""

    name: Literal["single"] = per_run("single")
    base: float = per_run(1e-3, at_least=0.0)
    schedule: Literal["constant", "cosine", "step"] = "constant"
    warmup: int = bounded(0, at_least=0)
    final: float = bounded(0.0, at_least=0.0)
    decay: float = bounded(0.1, above=0.0, at_most=1.0)
    decay_every: int = bounded(10, at_least=1)


@dataclass(frozen=True, kw_only=True)
class PerHeadLrConfig(LrConfig):
    """Rates of the trunk and of each head: a number, or a multiple of `base` such as "0.1x"."""

    name: Literal["per_head"] = per_run("per_head")  # type: ignore[assignment]
    trunk: Any = per_run("1x")
    heads: dict[str, Any] = per_run(factory=lambda: {"default": "3x"})
