"""The settings of the group `sharing`: one dataclass per scheme of mtlrun/sharing/, with the same name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from mtlrun.config.fields import bounded, per_run

MOST = 1e15  # largest penalty: float32 can still multiply it, and much smaller ones already tie weights exactly


@dataclass(frozen=True, kw_only=True)
class SharingConfig:
    """The settings and the properties that every scheme has.

    own_trunks: each task has a separate trunk, and no trunk parameter belongs to more than one task
    ties_tasks: a penalty relates the weights of different tasks
    makes_trunks: the scheme makes its trunks itself, from the settings of model=mlp
    one_representation: all heads read the same features
    needs_layers: the scheme has no meaning for a trunk without layers
    copies: tasks read mixtures or copies of inner layers, which later layers do not read
    whole_trunks: the scheme uses trunks of the group `model` as they are. They may then be ensembles, and gradients by
        task are pulled back through them
    """

    own_trunks: ClassVar[bool] = False
    ties_tasks: ClassVar[bool] = False
    makes_trunks: ClassVar[bool] = False
    one_representation: ClassVar[bool] = False
    needs_layers: ClassVar[bool] = False
    copies: ClassVar[bool] = False
    whole_trunks: ClassVar[bool] = False

    name: str

    def trunks(self, tasks: int) -> int:
        """The number of trunks of the size in `model` that `tasks` tasks need, not counting gates and the like."""
        return tasks if self.own_trunks else 1

    def division(self, tasks: Sequence[str]) -> list[list[str]]:
        """Returns the groups of tasks that learn from each other: one of all, or each task by itself if none does."""
        apart = self.own_trunks and not self.ties_tasks
        return [[task] for task in tasks] if apart else [list(tasks)]


@dataclass(frozen=True, kw_only=True)
class HardConfig(SharingConfig):
    one_representation: ClassVar[bool] = True
    whole_trunks: ClassVar[bool] = True

    name: Literal["hard"] = "hard"


@dataclass(frozen=True, kw_only=True)
class NoneConfig(SharingConfig):
    own_trunks: ClassVar[bool] = True
    makes_trunks: ClassVar[bool] = True

    name: Literal["none"] = "none"


@dataclass(frozen=True, kw_only=True)
class GroupsConfig(SharingConfig):
    """groups: lists of tasks. The tasks of a group share a trunk. A task in no group has a trunk of its own."""

    whole_trunks: ClassVar[bool] = True
    copies: ClassVar[bool] = True

    name: Literal["groups"] = "groups"
    groups: list[list[str]] | None = None

    def division(self, tasks: Sequence[str]) -> list[list[str]]:
        """Returns the groups of `tasks`: those of `groups` without other tasks, then one for each task in none."""
        named = [[task for task in group if task in tasks] for group in self.groups or ()]
        grouped = {task for group in named for task in group}
        return [*(group for group in named if group), *([task] for task in tasks if task not in grouped)]

    def trunks(self, tasks: int) -> int:
        groups = self.groups or ()
        return min(tasks, len(groups) + max(0, tasks - sum(map(len, groups))))


def written(groups: Iterable[Sequence[str]]) -> str:
    """Groups of tasks as `sharing.groups` takes them: [[price,kind],[sold]]."""
    return f"[{','.join('[' + ','.join(group) + ']' for group in groups)}]"


@dataclass(frozen=True, kw_only=True)
class TiedConfig(SharingConfig):
    """A separate trunk for each task, and a penalty on their weights.

    strength: of the penalty; None, until the check has set it: `measured`, the default under an optimiser that divides
        gradients by their size and under any other (docs/sharing.md has the measurements)
    layers: the penalised layers, first or all
    """

    own_trunks: ClassVar[bool] = True
    makes_trunks: ClassVar[bool] = True
    ties_tasks: ClassVar[bool] = True

    measured: ClassVar[tuple[float, float]] = (1e-3, 1e-3)

    strength: float | None = per_run(None, at_least=0.0, at_most=MOST)
    layers: Literal["first", "all"] = "all"


@dataclass(frozen=True, kw_only=True)
class SoftL2Config(TiedConfig):
    measured: ClassVar[tuple[float, float]] = (1.0, 1.0)

    name: Literal["soft_l2"] = "soft_l2"


@dataclass(frozen=True, kw_only=True)
class MeanRegularizedConfig(TiedConfig):
    """strength: penalty on the distance of the weights from their mean over tasks. ridge: penalty on the weights."""

    measured: ClassVar[tuple[float, float]] = (1.0, 1.0)

    name: Literal["mean_regularized"] = "mean_regularized"
    ridge: float = per_run(1e-4, at_least=0.0, at_most=MOST)


@dataclass(frozen=True, kw_only=True)
class TraceNormConfig(TiedConfig):
    measured: ClassVar[tuple[float, float]] = (1.0, 0.01)

    name: Literal["trace_norm"] = "trace_norm"


@dataclass(frozen=True, kw_only=True)
class JointFeaturesConfig(TiedConfig):
    measured: ClassVar[tuple[float, float]] = (0.3, 0.001)

    name: Literal["joint_features"] = "joint_features"
    layers: Literal["first", "all"] = "first"


@dataclass(frozen=True, kw_only=True)
class L1Config(TiedConfig):
    ties_tasks: ClassVar[bool] = False
    measured: ClassVar[tuple[float, float]] = (0.03, 0.0001)

    name: Literal["l1"] = "l1"


@dataclass(frozen=True, kw_only=True)
class CrossStitchConfig(SharingConfig):
    """own: initial weight of a task's features for the task itself; the other tasks share 1 − own in equal parts.

    rate: the learning rate of the stitches, as a multiple of that of the trunk.
    """

    makes_trunks: ClassVar[bool] = True
    needs_layers: ClassVar[bool] = True

    name: Literal["cross_stitch"] = "cross_stitch"
    own: float = per_run(0.9)
    rate: float = per_run(1.0, at_least=0.0)

    def trunks(self, tasks: int) -> int:
        return tasks


@dataclass(frozen=True, kw_only=True)
class MmoeConfig(SharingConfig):
    makes_trunks: ClassVar[bool] = True
    needs_layers: ClassVar[bool] = True
    copies: ClassVar[bool] = True

    name: Literal["mmoe"] = "mmoe"
    experts: int = bounded(4, at_least=1)

    def trunks(self, tasks: int) -> int:
        return self.experts


@dataclass(frozen=True, kw_only=True)
class CgcConfig(SharingConfig):
    """`shared_experts` experts for all tasks, and `task_experts` for each single task."""

    makes_trunks: ClassVar[bool] = True
    needs_layers: ClassVar[bool] = True
    copies: ClassVar[bool] = True

    name: Literal["cgc"] = "cgc"
    shared_experts: int = bounded(2, at_least=1)
    task_experts: int = bounded(1, at_least=0)

    def trunks(self, tasks: int) -> int:
        return self.shared_experts + tasks * self.task_experts


@dataclass(frozen=True, kw_only=True)
class PleConfig(SharingConfig):
    """As cgc, on each level. A level is a layer of the trunk."""

    makes_trunks: ClassVar[bool] = True
    needs_layers: ClassVar[bool] = True
    copies: ClassVar[bool] = True

    name: Literal["ple"] = "ple"
    shared_experts: int = bounded(2, at_least=1)
    task_experts: int = bounded(1, at_least=0)

    def trunks(self, tasks: int) -> int:
        return self.shared_experts + tasks * self.task_experts


SHARINGS: Mapping[str, type[SharingConfig]] = {
    "hard": HardConfig,
    "none": NoneConfig,
    "groups": GroupsConfig,
    "soft_l2": SoftL2Config,
    "mean_regularized": MeanRegularizedConfig,
    "trace_norm": TraceNormConfig,
    "joint_features": JointFeaturesConfig,
    "l1": L1Config,
    "cross_stitch": CrossStitchConfig,
    "mmoe": MmoeConfig,
    "cgc": CgcConfig,
    "ple": PleConfig,
}
