"""Task types: the loss of a row, the noise model behind it, the estimate passed on, the metrics.

Each type is one module. A type works on a *block* of tasks of the same type and loss at once, with the
run axis in front: outputs `[R, B, T, K]`, labels `[R, B, T]`.
"""

from mtlrun.tasks.base import TaskType
from mtlrun.tasks.binary import Binary
from mtlrun.tasks.categorical import Categorical
from mtlrun.tasks.objective import Objective
from mtlrun.tasks.reconstruction import Reconstruction
from mtlrun.tasks.regression import Regression
from mtlrun.util.registry import Registry

_OWN: dict[str, type[TaskType]] = {
    "regression": Regression,
    "binary": Binary,
    "categorical": Categorical,
    "reconstruction": Reconstruction,
    "objective": Objective,
}
TYPES = Registry("task type", _OWN, TaskType)

__all__ = ["TYPES", "Binary", "Categorical", "Objective", "Reconstruction", "Regression", "TaskType"]
