"""The settings of the group `optimizer`."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from mtlrun.config.fields import bounded, per_run


@dataclass(frozen=True, kw_only=True)
class AdamConfig:
    adaptive: ClassVar[bool] = True  # whether it divides a gradient by its size

    name: Literal["adam", "adamw"] = "adam"
    betas: list[float] = field(default_factory=lambda: [0.9, 0.999], metadata={"at_least": 0.0, "below": 1.0})
    eps: float = bounded(1e-8, above=0.0)
    weight_decay: float = per_run(0.0, search="tag(log,interval(1e-4,0.3))", at_least=0.0)
    amsgrad: bool = False


@dataclass(frozen=True, kw_only=True)
class SgdConfig:
    adaptive: ClassVar[bool] = False

    name: Literal["sgd"] = "sgd"
    momentum: float = bounded(0.0, at_least=0.0, below=1.0)
    nesterov: bool = False
    weight_decay: float = per_run(0.0, at_least=0.0)


@dataclass(frozen=True, kw_only=True)
class RmspropConfig:
    adaptive: ClassVar[bool] = True

    name: Literal["rmsprop"] = "rmsprop"
    alpha: float = bounded(0.99, at_least=0.0, below=1.0)
    eps: float = bounded(1e-8, above=0.0)
    momentum: float = bounded(0.0, at_least=0.0, below=1.0)
    centered: bool = False
    weight_decay: float = per_run(0.0, at_least=0.0)
