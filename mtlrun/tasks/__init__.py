"""Task types: their declarations, row losses, estimates for edges, predictions and metrics.

Each type is one module. A type processes a *block* at once: tasks of the same type and loss. The run axis comes first:
outputs `[R, B, T, K]`, labels `[R, B, T]`. `type_of(name)` returns the declaration of a type, `TYPES[name]` the class
that computes. Importing this package loads neither torch nor NumPy.
"""

import math
from typing import TYPE_CHECKING, Any

from mtlrun.tasks.base import TaskType
from mtlrun.tasks.binary import Binary
from mtlrun.tasks.categorical import Categorical
from mtlrun.tasks.count import Count
from mtlrun.tasks.declaration import Declaration, Direction, Labels, Loss, Metric
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
    "count": Count,
}
TYPES = Registry("task type", _OWN, TaskType)
DECLARED: dict[str, Declaration] = {name: kind.declared for name, kind in _OWN.items()}  # packages add theirs
# figures on test of the intervals of numbers (statistics/conformal.py), which a run has once, at its end
INTERVALS = {
    "coverage_90": Metric("max", highest=1.0),
    "width_90": Metric("min", unit_power=1),
    "interval_score_90": Metric("min", unit_power=1),
}
# the types that are inferred from the column if a task names no type
INFERRED = REGRESSION, BINARY, CATEGORICAL = "regression", "binary", "categorical"


def type_of(name: str) -> Declaration:
    """The declaration of a task type. KeyError: there is no such type."""
    return DECLARED[name]


def names() -> list[str]:
    """The names of all task types."""
    return list(DECLARED)


def losses() -> list[str]:
    """The losses of all task types."""
    return list(dict.fromkeys(loss for declared in DECLARED.values() for loss in declared.losses))


def known_metrics() -> dict[str, Metric]:
    """The metrics of all task types and of intervals, by name. All types agree on the direction of a metric."""
    return INTERVALS | {name: metric for declared in DECLARED.values() for name, metric in declared.metrics.items()}


def higher_is_better(metric: str) -> bool:
    """Whether a higher figure is better. False for a name that is no metric of a type, such as a loss."""
    known = known_metrics().get(metric)
    return known is not None and known.better == "max"


def metric_bounds(metric: str) -> tuple[float, float]:
    """The lowest and the highest value of a metric; infinite for a name that is no metric of a type."""
    known = known_metrics().get(metric)
    return (-math.inf, math.inf) if known is None else (known.lowest, known.highest)


def inferred_primaries() -> list[str]:
    """The primary metrics of the types that are inferred if a task names no type.

    The figures of a run tell which type was inferred.
    """
    return [DECLARED[name].primary for name in INFERRED]


def stated_primary(name: Any) -> str | None:
    """The primary metric of a type that a task must name.

    None for other types, for types whose labels are the inputs, and for anything that is not the name of a type.
    """
    declared = DECLARED.get(name) if isinstance(name, str) and name not in INFERRED else None
    return declared.primary if declared is not None and not declared.reads_inputs else None


def refused_labels(name: str, labels: "np.ndarray") -> "np.ndarray | None":
    """Mask [N] of the labels [N] that a type does not allow; None if it allows all.

    Raises RequestError if a package's function cannot be imported or does not return a mask [N].
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
    "INTERVALS",
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
    "Reconstruction",
    "Regression",
    "TaskType",
    "higher_is_better",
    "inferred_primaries",
    "known_metrics",
    "losses",
    "metric_bounds",
    "names",
    "refused_labels",
    "stated_primary",
    "type_of",
]
