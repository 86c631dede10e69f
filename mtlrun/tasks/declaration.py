"""What a task type declares: everything that the check, the data, the engine and the comparison ask of it.

`type_of(name)` in mtlrun/tasks returns it. A package's type declares the same in its `TaskTypeOption`.
Nothing here imports torch, NumPy or pandas.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

    from mtlrun.tasks.trees import TreeLoss

Direction = Literal["min", "max"]
Labels = Literal["numbers", "two classes", "classes", "inputs", "none"]
Role = Literal["main", "auxiliary", "adversarial"]


@dataclass(frozen=True)
class Metric:
    """A metric: which way it is better, and its bounds.

    unit_power: the power of the labels' unit that is its unit (1 for rmse, 2 for mse, 0 for a share).
    needs_variation: it is undefined where all labels are the same.
    listed: the table at the end of a run shows it also where it is not the primary metric.
    """

    better: Direction
    lowest: float = 0.0
    highest: float = math.inf
    unit_power: int = 0
    needs_variation: bool = False
    listed: bool = True

    @property
    def sign(self) -> float:
        """1 where higher is better, -1 where lower is."""
        return 1.0 if self.better == "max" else -1.0


@dataclass(frozen=True)
class Loss:
    r"""A loss.

    noise: the factors (a, c) of the negative log-likelihood with a learnt scale,

    .. math:: a\, e^{-s} L + c\, s,

    whose optimum is :math:`e^{s} = a L / c` (Kendall, Gal & Cipolla 2018, eq. 7 and 10, with s = log σ²; for the
    Laplace likelihood of an absolute error s = log b). The default is that of a classification.

    boosting: what model=boosting minimises for it; None: it has no such loss.
    """

    noise: tuple[float, float] = (1.0, 0.5)
    boosting: "TreeLoss | None" = None


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """A task type, for those who do not compute with it.

    labels: what a task learns from. "numbers", "two classes" and "classes" are read from the table; "inputs" are the
        run's own encoded inputs; "none": there is nothing to learn from, as for a function of a point.
    metrics: in the order in which tables show them; `primary` is the one that stands for a task.
    losses: the default first.
    standardised: labels are standardised by those of training (with data.standardize_targets).
    accepts: a function from all labels [N] to a mask [N] of those that are allowed, or "module:function" of one; None
        allows all. `allowed` says in words which these are.
    averages: means of labels are labels too, so that a task may have `smooth`.
    roles: those that a task may have, the default first.
    without: keys of a task that have no meaning, `because` is the reason.
    functions: the names that `target` may have, where it names a function and no column.
    """

    labels: Labels
    metrics: Mapping[str, Metric]
    primary: str
    losses: Mapping[str, Loss]
    standardised: bool = False
    accepts: "Callable[[np.ndarray], np.ndarray] | str | None" = None
    allowed: str = ""
    averages: bool = False
    roles: tuple[Role, ...] = ("main", "auxiliary", "adversarial")
    without: tuple[str, ...] = ()
    because: str = ""
    functions: tuple[str, ...] = ()

    @property
    def default_loss(self) -> str:
        """The loss of a task that names none."""
        return next(iter(self.losses))

    @property
    def from_table(self) -> bool:
        """Whether its labels come from the table."""
        return self.labels in ("numbers", "two classes", "classes")

    @property
    def has_numbers(self) -> bool:
        """Whether its labels are numbers of the table, and not classes."""
        return self.labels == "numbers"

    @property
    def has_two_classes(self) -> bool:
        """Whether its labels are two classes, of which one is the positive one."""
        return self.labels == "two classes"

    @property
    def has_many_classes(self) -> bool:
        """Whether its labels are classes, as many as there are."""
        return self.labels == "classes"

    @property
    def reads_inputs(self) -> bool:
        """Whether its labels are the encoded inputs."""
        return self.labels == "inputs"

    @property
    def of_a_point(self) -> bool:
        """Whether its loss is a function of the point of model=point, with neither labels nor a head."""
        return self.labels == "none"

    @property
    def boosted_losses(self) -> dict[str, str]:
        """Losses that model=boosting has, by name, and what scikit-learn calls them."""
        return {name: loss.boosting.name for name, loss in self.losses.items() if loss.boosting is not None}
