"""The settings of the group `lr`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from mtlrun.config.fields import bounded, per_run
from mtlrun.config.values import rate


@dataclass(frozen=True, kw_only=True)
class LrConfig:
    """One learning rate for all. `warmup` is in steps, `decay_every` in epochs, `final` a share of the rate."""

    name: Literal["single"] = per_run("single")
    base: float = per_run(2e-3, search="tag(log,interval(5e-4,1e-2))", at_least=0.0)
    schedule: Literal["constant", "cosine", "step"] = "cosine"
    warmup: int = bounded(0, at_least=0)
    final: float = bounded(0.0, at_least=0.0)
    decay: float = bounded(0.1, above=0.0, at_most=1.0)
    decay_every: int = bounded(10, at_least=1)

    def rates(self, tasks: Iterable[str]) -> dict[str, float]:
        """The rates of the trunk (key `trunk`) and of the head of each task, before any schedule."""
        return dict.fromkeys(["trunk", *tasks], self.base)


@dataclass(frozen=True, kw_only=True)
class PerHeadLrConfig(LrConfig):
    """Separate rates for the trunk and each head (Caruana 1997, §7.2): numbers, or multiples of `base` as in "0.1x"."""

    name: Literal["per_head"] = per_run("per_head")  # type: ignore[assignment]
    trunk: Any = per_run("1x")
    heads: dict[str, Any] = per_run(factory=lambda: {"default": "3x"})

    @property
    def trunk_rate(self) -> float:
        """The rate of the trunk. Raises RequestError if `trunk` is not a rate."""
        return rate(self.trunk, self.base, "lr.trunk")

    def head_rate(self, name: str) -> float:
        """The rate in `heads` for a task or for `default`. Raises RequestError if the value is not a rate."""
        return rate(self.heads[name], self.base, f"lr.heads.{name}")

    def rates(self, tasks: Iterable[str]) -> dict[str, float]:
        heads = {task: self.head_rate(task if task in self.heads else "default") for task in tasks}
        return {"trunk": self.trunk_rate, **heads}
