"""Task types: what a type declares, the loss of a row, the estimate passed on, the predictions, the metrics.

Each type is one module. A type works on a *block* of tasks of the same type and loss at once, with the
run axis in front: outputs `[R, B, T, K]`, labels `[R, B, T]`. Others ask `type_of(name)` what a type declares, and
`TYPES[name]` for what computes. Importing this loads neither torch nor NumPy.
"""

from typing import TYPE_CHECKING, Any

from mtlrun.tasks.base import TaskType
from mtlrun.tasks.binary import Binary
from mtlrun.tasks.categorical import Categorical
from mtlrun.tasks.count import Count
from mtlrun.tasks.declaration import Declaration, Direction, Labels, Loss, Metric
from mtlrun.tasks.objective import Objective
from mtlrun.tasks.reconstruction import Reconstruction
from mtlrun.tasks.regression import Regression
from mtlrun.util.errors import RequestError
from mtlrun.util.registry import REFERENCES, Registry, imported

if TYPE_CHECKING:
    import numpy as np

_OWN: dict[str, type[TaskType]] = {
    "regression": Regression,
    "binary": Binary,
    "categorical": Categorical,
    "reconstruction": Reconstruction,
    "objective": Objective,
    "count": Count,
}
TYPES = Registry("task type", _OWN, TaskType)
DECLARED: dict[str, Declaration] = {name: kind.declared for name, kind in _OWN.items()}  # and those of packages
INFERRED = REGRESSION, BINARY, CATEGORICAL = "regression", "binary", "categorical"  # of a task that names no type


def type_of(name: str) -> Declaration:
    """What a task type declares. KeyError: there is no such type."""
    return DECLARED[name]


def names() -> list[str]:
    """Every task type."""
    return list(DECLARED)


def losses() -> list[str]:
    """The losses of all task types."""
    return list(dict.fromkeys(loss for declared in DECLARED.values() for loss in declared.losses))


def known_metrics() -> dict[str, Metric]:
    """The metrics of all task types. Types agree on which way a metric is better."""
    return {name: metric for declared in DECLARED.values() for name, metric in declared.metrics.items()}


def higher_is_better(metric: str) -> bool:
    """Whether the higher of two figures is better. Of what is no metric of a type, such as a loss, the lower is."""
    return any(declared.metrics[metric].better == "max" for declared in DECLARED.values() if metric in declared.metrics)


def inferred_primaries() -> list[str]:
    """The primary metrics of the types that a task without one may have; which figures a run has tells its type."""
    return [DECLARED[name].primary for name in INFERRED]


def stated_primary(name: Any) -> str | None:
    """The primary metric of a type with labels that a task must name; None for others, and for what is no type."""
    declared = DECLARED.get(name) if isinstance(name, str) and name not in INFERRED else None
    return declared.primary if declared is not None and declared.from_table else None


def refused_labels(name: str, labels: "np.ndarray") -> "np.ndarray | None":
    """Which of the labels [N] a type does not allow, as a mask [N]; None where it allows all.

    Raises RequestError where a package's function cannot be imported, or returns something else.
    """
    accepts = DECLARED[name].accepts
    if accepts is None:
        return None
    if not isinstance(accepts, str):
        return ~accepts(labels)
    reference = REFERENCES["labels"][name]
    mask = imported(reference, f"labels of task type {name}")(labels)
    if str(getattr(mask, "dtype", "")) != "bool" or mask.shape != labels.shape:
        raise RequestError(
            f"labels of task type {name}: {reference.made_by} of {reference.package} returns no mask of the labels\n"
            "mend the package"
        )
    return ~mask


__all__ = [
    "BINARY",
    "CATEGORICAL",
    "DECLARED",
    "INFERRED",
    "REGRESSION",
    "TYPES",
    "Binary",
    "Categorical",
    "Count",
    "Declaration",
    "Direction",
    "Labels",
    "Loss",
    "Metric",
    "Objective",
    "Reconstruction",
    "Regression",
    "TaskType",
    "higher_is_better",
    "inferred_primaries",
    "known_metrics",
    "losses",
    "names",
    "refused_labels",
    "stated_primary",
    "type_of",
]
