"""What the data, the check and the comparison know of task types by their names. What computes is in mtlrun/tasks/.

Nothing here imports torch or pandas. Types of installed packages join these tables, see extensions.py.
"""

from typing import Literal

Direction = Literal["min", "max"]
Labels = Literal["numbers", "two classes", "classes", "none"]  # what a target column of the type is read as

# The metrics of each task type and which way they are better, the primary one, the losses (default first), the labels.
TASK_METRICS: dict[str, dict[str, Direction]] = {
    "regression": {"mse": "min", "rmse": "min", "mae": "min", "r2": "max"},
    "binary": {"accuracy": "max", "auroc": "max", "auprc": "max", "logloss": "min"},
    "categorical": {"accuracy": "max", "logloss": "min"},
    "reconstruction": {"mse": "min", "r2": "max"},
    "objective": {"value": "min"},
}
PRIMARY = {
    "regression": "rmse",
    "binary": "auroc",
    "categorical": "accuracy",
    "reconstruction": "mse",
    "objective": "value",
}
LOSSES: dict[str, tuple[str, ...]] = {
    "regression": ("mse", "l1", "huber"),
    "binary": ("cross_entropy",),
    "categorical": ("cross_entropy",),
    "reconstruction": ("mse",),
    "objective": ("value",),
}
LABELS: dict[str, Labels] = {
    "regression": "numbers",
    "binary": "two classes",
    "categorical": "classes",
    "reconstruction": "none",
    "objective": "none",
}
HIGHER_IS_BETTER = {name for own in TASK_METRICS.values() for name, better in own.items() if better == "max"}


def names() -> list[str]:
    """Every task type."""
    return list(TASK_METRICS)


def losses() -> list[str]:
    """The losses of all task types."""
    return list(dict.fromkeys(loss for own in LOSSES.values() for loss in own))
