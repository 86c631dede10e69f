"""The declaration of a task type: all that the check, the data, the engine and the comparison need to know of it.

`type_of(name)` in mtlrun/tasks returns it. A type from a package declares the same in its `TaskTypeOption`.
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
BRIER = 2.0  # the highest Brier score, of a sum over classes; all types share the bounds of a metric


@dataclass(frozen=True)
class Metric:
    """A metric: its direction ("min" or "max") and its bounds.

    unit_power: the unit of the metric is the unit of the labels to this power (1 for rmse, 2 for mse, 0 for a share).
    needs_variation: the metric is undefined if all labels are the same.
    listed: the table at the end of a run shows the metric even if it is not the primary one.
    """

    better: Direction
    lowest: float = 0.0
    highest: float = math.inf
    unit_power: int = 0
    needs_variation: bool = False
    listed: bool = True

    @property
    def sign(self) -> float:
        """1 if higher is better, -1 if lower is better."""
        return 1.0 if self.better == "max" else -1.0


@dataclass(frozen=True)
class Loss:
    r"""A loss.

    noise: the factors (a, c) of the negative log-likelihood with a learnt scale,

    .. math:: a\, e^{-s} L + c\, s,

    The optimum is :math:`e^{s} = a L / c` (Kendall, Gal & Cipolla 2018, eq. 7 and 10, with s = log σ²; for the Laplace
    likelihood of an absolute error s = log b). The default is that of a classification.

    boosting: the loss that model=boosting minimises; None if model=boosting does not offer this loss.
    """

    noise: tuple[float, float] = (1.0, 0.5)
    boosting: "TreeLoss | None" = None


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """A task type, as seen by code that does not compute with it.

    labels: the source of the labels. "numbers", "two classes" and "classes" are read from the table; "inputs" are the
        encoded inputs of the run; "none" means that there are no labels.
    metrics: in the order in which tables show them. `primary` is the metric that represents a task.
    losses: by name, the default first.
    standardised: labels are standardised with the statistics of the training labels (data.standardize_targets).
    starts_at_mean: a head starts at the outputs of the trivial predictor, `TaskType.constant`, by its last bias.
    accepts: a function from all labels [N] to a mask [N] of the allowed ones, or its reference "module:function". None
        allows all labels. `allowed` describes the allowed labels in words.
    least: the least number that a label may be. Intervals of predictions end there.
    averages: means of labels are valid labels, so a task may have `smooth`.
    roles: the roles that a task may have, the default first.
    without: the keys of a task that have no meaning for this type. `because` is the reason.
    functions: the names allowed for `target` if it names a function instead of a column.
    function_of: the number of features that `TaskType.head_function` reads. The function replaces the head. None if
        heads are learnt.
    below_0: losses may be below 0. Strategies that need positive losses are then refused.
    """

    labels: Labels
    metrics: Mapping[str, Metric]
    primary: str
    losses: Mapping[str, Loss]
    standardised: bool = False
    starts_at_mean: bool = False
    accepts: "Callable[[np.ndarray], np.ndarray] | str | None" = None
    allowed: str = ""
    least: float = -math.inf
    averages: bool = False
    roles: tuple[Role, ...] = ("main", "auxiliary", "adversarial")
    without: tuple[str, ...] = ()
    because: str = ""
    functions: tuple[str, ...] = ()
    function_of: int | None = None
    below_0: bool = False

    @property
    def default_loss(self) -> str:
        """The loss of a task that names no loss."""
        return next(iter(self.losses))

    @property
    def from_table(self) -> bool:
        """Whether the labels come from the table."""
        return self.labels in ("numbers", "two classes", "classes")

    @property
    def has_numbers(self) -> bool:
        """Whether the labels are numbers of the table, not classes."""
        return self.labels == "numbers"

    @property
    def has_two_classes(self) -> bool:
        """Whether the labels are two classes, one of them positive."""
        return self.labels == "two classes"

    @property
    def has_many_classes(self) -> bool:
        """Whether the labels are classes, any number of them."""
        return self.labels == "classes"

    @property
    def reads_inputs(self) -> bool:
        """Whether the labels are the encoded inputs."""
        return self.labels == "inputs"

    @property
    def unlabelled(self) -> bool:
        """Whether there are no labels. Nothing is then predicted."""
        return self.labels == "none"

    @property
    def boosted_losses(self) -> dict[str, str]:
        """The losses that model=boosting offers: name -> name in scikit-learn."""
        return {name: loss.boosting.name for name, loss in self.losses.items() if loss.boosting is not None}
