"""The typed schema of the group `loss`: one dataclass for each strategy of mtlrun/loss/, by the same name.

Strategies whose `name` is `per_run` read nothing but losses, and train in one stack with each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from mtlrun.config.fields import per_run

NO_WEIGHTS = "it combines gradients element by element, and no task has a weight"
MAY_ASCEND = "a weight may be below 0, with which a head would raise its own loss"
KEEPS_ELEMENTS = "it keeps a number for every element of the gradients, and another batch has other features"


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What every strategy has.

    `weights`: by task a number, 1 where none is given, with which what the strategy makes of its loss is multiplied.
    `scale`: weights as published, or times a number so that they sum to the number of tasks (with a label in the
    batch). `heads`: whether a head's gradient is that of its task's loss times the weight, or of the loss itself.
    """

    needs_positive: ClassVar[bool] = False  # a loss below 0 has no meaning to it
    to_take_below_0: ClassVar[str] = ""  # what may be set so that it has one, as the beginning of a list
    refuses: ClassVar[dict[tuple[str, str], str]] = {}  # (key, value) that has no meaning to it: why

    name: str
    scale: Literal["paper", "sum_to_T"] = per_run("paper")
    heads: Literal["weighted", "own"] = "weighted"
    weights: dict[str, Any] = per_run(factory=dict)

    def factor(self, task: str) -> float:
        """That of `weights`."""
        return float(self.weights.get(task, 1.0))

    def takes_below_0(self, task: str) -> bool:
        """Whether the task's loss may be below 0."""
        return not self.needs_positive

    @property
    def warm_epochs(self) -> int:
        """For so many epochs the weights are not yet what the strategy makes of them."""
        return 0


@dataclass(frozen=True, kw_only=True)
class SumLossConfig(LossConfig):
    name: Literal["sum"] = per_run("sum")


@dataclass(frozen=True, kw_only=True)
class FixedLossConfig(LossConfig):
    """`weights` are the strategy itself."""

    name: Literal["fixed"] = per_run("fixed")

    def factor(self, task: str) -> float:
        return 1.0


@dataclass(frozen=True, kw_only=True)
class UncertaintyLossConfig(LossConfig):
    """`init` is first_batch (from the losses of the first batch with labels) or s itself, 0 for the plain start.

    `solve`: s learnt, or its optimum for the losses of each batch, where `lr` and `init` say nothing.
    """

    needs_positive: ClassVar[bool] = True  # below 0 the formula has no lowest point

    name: Literal["uncertainty"] = per_run("uncertainty")
    solve: Literal["learnt", "closed_form"] = per_run("learnt")
    lr: float = per_run(0.025, at_least=0.0)
    init: float | Literal["first_batch"] = per_run("first_batch")


@dataclass(frozen=True, kw_only=True)
class DwaLossConfig(LossConfig):
    needs_positive: ClassVar[bool] = True

    name: Literal["dwa"] = per_run("dwa")
    temperature: float = per_run(2.0, above=0.0)

    @property
    def warm_epochs(self) -> int:
        return 2


@dataclass(frozen=True, kw_only=True)
class RlwLossConfig(LossConfig):
    name: Literal["rlw"] = per_run("rlw")


@dataclass(frozen=True, kw_only=True)
class GlsLossConfig(LossConfig):
    needs_positive: ClassVar[bool] = True

    name: Literal["gls"] = per_run("gls")


@dataclass(frozen=True, kw_only=True)
class ImtlLLossConfig(LossConfig):
    """`init` is first_batch (from the losses of the first batch with labels) or s itself, 0 for the plain start."""

    needs_positive: ClassVar[bool] = True  # below 0 the formula has no lowest point

    name: Literal["imtl_l"] = per_run("imtl_l")
    lr: float = per_run(0.025, at_least=0.0)
    init: float | Literal["first_batch"] = per_run("first_batch")


@dataclass(frozen=True, kw_only=True)
class StchLossConfig(LossConfig):
    """`nadir`: logarithms of losses over those at the end of a warm-up of so many epochs, or the losses themselves."""

    needs_positive: ClassVar[bool] = True

    name: Literal["stch"] = per_run("stch")
    mu: float = per_run(1.0, above=0.0)
    nadir: Literal["warmup", "none"] = per_run("warmup")
    warmup: int = per_run(5, at_least=1)

    @property
    def warm_epochs(self) -> int:
        return self.warmup if self.nadir == "warmup" else 0


@dataclass(frozen=True, kw_only=True)
class FamoLossConfig(LossConfig):
    """In stacks of its own, as every step takes another look at its batch.

    `lower_bound`: what no task's loss falls below, or a mapping task -> bound, 0 for the others.
    """

    needs_positive: ClassVar[bool] = True
    to_take_below_0: ClassVar[str] = "loss.lower_bound=VALUE below every loss, or "

    name: Literal["famo"] = "famo"
    lr: float = per_run(0.025, at_least=0.0)
    gamma: float = per_run(1e-3, at_least=0.0)
    lower_bound: Any = per_run(0.0)

    def bound(self, task: str) -> float:
        """That of one task."""
        bound = self.lower_bound.get(task, 0.0) if isinstance(self.lower_bound, Mapping) else self.lower_bound
        return float(bound)

    def takes_below_0(self, task: str) -> bool:
        return self.bound(task) < 0


# ---------------------------------------------------------------- from the tasks' gradients


@dataclass(frozen=True, kw_only=True)
class GradientLossConfig(LossConfig):
    """What every strategy has that reads the tasks' gradients in what they share.

    `at`: with respect to the shared parameters, or to the features that the trunk hands to the heads (one backward
    pass through the trunk in place of one for each task).
    """

    heads: Literal["weighted", "own"] = "own"
    at: Literal["parameters", "representation"] = "parameters"
    kept: ClassVar[int] = 0  # numbers that it holds for each element of the tasks' gradients, beside these
    # heads=weighted: a task whose gradient does not reach what is shared has weight 0, see rules/loss_rules.py
    weighs_by_gradient: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class PcgradLossConfig(GradientLossConfig):
    name: Literal["pcgrad"] = "pcgrad"


@dataclass(frozen=True, kw_only=True)
class GradvacLossConfig(GradientLossConfig):
    name: Literal["gradvac"] = "gradvac"
    beta: float = per_run(0.01, at_least=0.0, at_most=1.0)


@dataclass(frozen=True, kw_only=True)
class ImtlGLossConfig(GradientLossConfig):
    refuses: ClassVar[dict[tuple[str, str], str]] = {("heads", "weighted"): MAY_ASCEND}

    name: Literal["imtl_g"] = "imtl_g"


@dataclass(frozen=True, kw_only=True)
class ImtlLossConfig(GradientLossConfig):
    """`init` as uncertainty has it. The heads' weights are the scales e^s."""

    needs_positive: ClassVar[bool] = True  # below 0 e^s L - s has no lowest point
    weighs_by_gradient: ClassVar[bool] = False

    name: Literal["imtl"] = "imtl"
    heads: Literal["weighted", "own"] = "weighted"
    lr: float = per_run(0.025, at_least=0.0)
    init: float | Literal["first_batch"] = per_run("first_batch")


@dataclass(frozen=True, kw_only=True)
class AlignedMtlLossConfig(GradientLossConfig):
    refuses: ClassVar[dict[tuple[str, str], str]] = {("heads", "weighted"): MAY_ASCEND}

    name: Literal["aligned_mtl"] = "aligned_mtl"


@dataclass(frozen=True, kw_only=True)
class ConfigLossConfig(GradientLossConfig):
    refuses: ClassVar[dict[tuple[str, str], str]] = {("heads", "weighted"): MAY_ASCEND}

    name: Literal["config"] = "config"


@dataclass(frozen=True, kw_only=True)
class MgdaLossConfig(GradientLossConfig):
    """`normalize`: what every task's gradient is divided by before the shortest vector of their hull is sought."""

    name: Literal["mgda"] = "mgda"
    normalize: Literal["none", "l2", "loss", "loss+"] = per_run("none")

    @property
    def divides_by_losses(self) -> bool:
        return self.normalize in ("loss", "loss+")


@dataclass(frozen=True, kw_only=True)
class CagradLossConfig(GradientLossConfig):
    """`c`: how far from the mean of the gradients, as a share of its length."""

    name: Literal["cagrad"] = "cagrad"
    c: float = per_run(0.4, at_least=0.0)


@dataclass(frozen=True, kw_only=True)
class NashMtlLossConfig(GradientLossConfig):
    name: Literal["nash_mtl"] = "nash_mtl"


@dataclass(frozen=True, kw_only=True)
class FairgradLossConfig(GradientLossConfig):
    """`alpha`: near 0 the mean of the losses, 1 Nash-MTL, large the least gain."""

    name: Literal["fairgrad"] = "fairgrad"
    alpha: float = per_run(2.0, at_least=0.1, at_most=10.0)


@dataclass(frozen=True, kw_only=True)
class UpgradLossConfig(GradientLossConfig):
    name: Literal["upgrad"] = "upgrad"


@dataclass(frozen=True, kw_only=True)
class DualprojLossConfig(GradientLossConfig):
    name: Literal["dualproj"] = "dualproj"


@dataclass(frozen=True, kw_only=True)
class GradnormLossConfig(GradientLossConfig):
    needs_positive: ClassVar[bool] = True
    weighs_by_gradient: ClassVar[bool] = False

    name: Literal["gradnorm"] = "gradnorm"
    heads: Literal["weighted", "own"] = "weighted"
    lr: float = per_run(0.025, at_least=0.0)
    alpha: float = per_run(1.5, at_least=0.0)


@dataclass(frozen=True, kw_only=True)
class GraddropLossConfig(GradientLossConfig):
    refuses: ClassVar[dict[tuple[str, str], str]] = {
        ("scale", "sum_to_T"): NO_WEIGHTS,
        ("heads", "weighted"): NO_WEIGHTS,
    }
    kept: ClassVar[int] = 1

    name: Literal["graddrop"] = "graddrop"
    leak: float = per_run(0.0, at_least=0.0, at_most=1.0)


@dataclass(frozen=True, kw_only=True)
class ExcessMtlLossConfig(GradientLossConfig):
    refuses: ClassVar[dict[tuple[str, str], str]] = {("at", "representation"): KEEPS_ELEMENTS}
    kept: ClassVar[int] = 2

    name: Literal["excess_mtl"] = "excess_mtl"
    heads: Literal["weighted", "own"] = "weighted"
    lr: float = per_run(0.01, at_least=0.0)
    warmup: int = per_run(3, at_least=0)

    @property
    def warm_epochs(self) -> int:
        return self.warmup


@dataclass(frozen=True, kw_only=True)
class DbMtlLossConfig(GradientLossConfig):
    """`scale` would act on the heads alone."""

    needs_positive: ClassVar[bool] = True
    weighs_by_gradient: ClassVar[bool] = False
    refuses: ClassVar[dict[tuple[str, str], str]] = {
        ("at", "representation"): KEEPS_ELEMENTS,
        ("scale", "sum_to_T"): "its weights are those of the heads, and the trunk has none",
    }
    kept: ClassVar[int] = 2

    name: Literal["db_mtl"] = "db_mtl"
    heads: Literal["weighted", "own"] = "weighted"
    beta: float = per_run(0.9, at_least=0.0, below=1.0)
    sigma: float = per_run(0.0, at_least=0.0)


LOSS_SETTINGS: dict[str, type[LossConfig]] = {
    "sum": SumLossConfig,
    "fixed": FixedLossConfig,
    "uncertainty": UncertaintyLossConfig,
    "dwa": DwaLossConfig,
    "rlw": RlwLossConfig,
    "gls": GlsLossConfig,
    "imtl_l": ImtlLLossConfig,
    "stch": StchLossConfig,
    "famo": FamoLossConfig,
    "pcgrad": PcgradLossConfig,
    "gradvac": GradvacLossConfig,
    "imtl_g": ImtlGLossConfig,
    "imtl": ImtlLossConfig,
    "aligned_mtl": AlignedMtlLossConfig,
    "config": ConfigLossConfig,
    "mgda": MgdaLossConfig,
    "cagrad": CagradLossConfig,
    "nash_mtl": NashMtlLossConfig,
    "fairgrad": FairgradLossConfig,
    "upgrad": UpgradLossConfig,
    "dualproj": DualprojLossConfig,
    "gradnorm": GradnormLossConfig,
    "graddrop": GraddropLossConfig,
    "excess_mtl": ExcessMtlLossConfig,
    "db_mtl": DbMtlLossConfig,
}
