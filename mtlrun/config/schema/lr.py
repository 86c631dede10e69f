"""The settings of the group `lr`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from mtlrun.config.fields import bounded, per_run
from mtlrun.config.values import rate


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

    def rates(self, tasks: Iterable[str]) -> dict[str, float]:
        """The rates of the trunk, under `trunk`, and of each task's head, before any schedule."""
        return dict.fromkeys(["trunk", *tasks], self.base)


@dataclass(frozen=True, kw_only=True)
class PerHeadLrConfig(LrConfig):
    """Rates of the trunk and of each head (Caruana 1997, §7.2): a number, or a multiple of `base` such as "0.1x"."""

    name: Literal["per_head"] = per_run("per_head")  # type: ignore[assignment]
    trunk: Any = per_run("1x")
    heads: dict[str, Any] = per_run(factory=lambda: {"default": "3x"})

    @property
    def trunk_rate(self) -> float:
        """Raises RequestError where `trunk` is no rate."""
        return rate(self.trunk, self.base, "lr.trunk")

    def head_rate(self, name: str) -> float:
        """The rate that `heads` has for a task, or for `default`. Raises RequestError where it is none."""
        return rate(self.heads[name], self.base, f"lr.heads.{name}")

    def rates(self, tasks: Iterable[str]) -> dict[str, float]:
        heads = {task: self.head_rate(task if task in self.heads else "default") for task in tasks}
        return {"trunk": self.trunk_rate, **heads}
