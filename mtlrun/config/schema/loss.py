"""The settings of the group `loss`: one dataclass per strategy of mtlrun/loss/, with the same name.

A strategy whose `name` is `per_run` reads only losses. Such strategies can train together in one stack.
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
    """The settings that every strategy has.

    weights: task -> factor on the weight that the strategy gives to its loss. The default is 1.
    scale: weights as published ("paper"), or scaled so that they sum to the number of tasks with a label in the batch.
    heads: the gradient of a head is that of the weighted loss of its task ("weighted") or of the loss itself ("own").
    """

    needs_positive: ClassVar[bool] = False  # losses below 0 have no meaning for the strategy
    to_take_below_0: ClassVar[str] = ""  # setting that allows losses below 0, as the beginning of a list in a message
    refuses: ClassVar[dict[tuple[str, str], str]] = {}  # (key, value) without a meaning for the strategy -> reason

    name: str
    scale: Literal["paper", "sum_to_T"] = per_run("paper")
    heads: Literal["weighted", "own"] = "weighted"
    weights: dict[str, Any] = per_run(factory=dict)

    def factor(self, task: str) -> float:
        """The factor of a task in `weights`."""
        return float(self.weights.get(task, 1.0))

    def takes_below_0(self, task: str) -> bool:
        """Whether the loss of the task may be below 0."""
        return not self.needs_positive

    @property
    def warm_epochs(self) -> int:
        """The number of epochs before the strategy begins to compute weights."""
        return 0


@dataclass(frozen=True, kw_only=True)
class SumLossConfig(LossConfig):
    name: Literal["sum"] = per_run("sum")


@dataclass(frozen=True, kw_only=True)
class FixedLossConfig(LossConfig):
    """The weights of the strategy are `weights`, so there is no further factor."""

    name: Literal["fixed"] = per_run("fixed")

    def factor(self, task: str) -> float:
        return 1.0


@dataclass(frozen=True, kw_only=True)
class UncertaintyLossConfig(LossConfig):
    """Settings of s = log σ².

    init: the start of s; first_batch computes it from the losses of the first batch with labels, 0 is the plain start.
    solve: s is learnt, or set to its optimum for the losses of each batch. `lr` and `init` then have no effect.
    """

    needs_positive: ClassVar[bool] = True  # for losses below 0 the formula has no minimum

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
    """init: as for uncertainty."""

    needs_positive: ClassVar[bool] = True  # for losses below 0 the formula has no minimum

    name: Literal["imtl_l"] = per_run("imtl_l")
    lr: float = per_run(0.025, at_least=0.0)
    init: float | Literal["first_batch"] = per_run("first_batch")


@dataclass(frozen=True, kw_only=True)
class StchLossConfig(LossConfig):
    """nadir: the strategy reads log(loss / loss at the end of `warmup` epochs), or ("none") the losses themselves."""

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
    """Runs with famo form separate stacks, because every step evaluates its batch again after the update.

    lower_bound: a lower bound of the loss of every task, or a mapping task -> bound with 0 for the other tasks.
    """

    needs_positive: ClassVar[bool] = True
    to_take_below_0: ClassVar[str] = "loss.lower_bound=VALUE below every loss, or "

    name: Literal["famo"] = "famo"
    lr: float = per_run(0.025, at_least=0.0)
    gamma: float = per_run(1e-3, at_least=0.0)
    lower_bound: Any = per_run(0.0)

    def bound(self, task: str) -> float:
        """The lower bound of one task."""
        bound = self.lower_bound.get(task, 0.0) if isinstance(self.lower_bound, Mapping) else self.lower_bound
        return float(bound)

    def takes_below_0(self, task: str) -> bool:
        return self.bound(task) < 0


# ---------------------------------------------------------------- strategies that read the gradients of the tasks


@dataclass(frozen=True, kw_only=True)
class GradientLossConfig(LossConfig):
    """The settings of every strategy that reads the gradients of the tasks.

    at: gradients with respect to the shared parameters, or to the features that the heads read ("representation"). The
    latter needs one backward pass through the trunk instead of one per task.
    """

    heads: Literal["weighted", "own"] = "own"
    at: Literal["parameters", "representation"] = "parameters"
    kept: ClassVar[int] = 0  # numbers that the strategy stores per element of the gradients, besides the gradients
    # with heads=weighted a task whose gradient does not reach shared parts gets weight 0, see rules/loss_rules.py
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
    """init: as for uncertainty. The weights of the heads are the scales e^s."""

    needs_positive: ClassVar[bool] = True  # for L below 0, e^s L - s has no minimum
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
    """normalize: what each gradient is divided by before the shortest vector of their convex hull is computed."""

    name: Literal["mgda"] = "mgda"
    normalize: Literal["none", "l2", "loss", "loss+"] = per_run("none")

    @property
    def divides_by_losses(self) -> bool:
        return self.normalize in ("loss", "loss+")


@dataclass(frozen=True, kw_only=True)
class CagradLossConfig(GradientLossConfig):
    """c: the largest distance from the mean of the gradients, as a share of its length."""

    name: Literal["cagrad"] = "cagrad"
    c: float = per_run(0.4, at_least=0.0)


@dataclass(frozen=True, kw_only=True)
class NashMtlLossConfig(GradientLossConfig):
    name: Literal["nash_mtl"] = "nash_mtl"


@dataclass(frozen=True, kw_only=True)
class FairgradLossConfig(GradientLossConfig):
    """alpha: near 0 the sum of the losses; 1 Nash-MTL; large values maximise the least gain."""

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
    """`scale` is refused, because it would act only on the heads."""

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
