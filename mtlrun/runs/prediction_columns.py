"""The columns of a table of predictions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mtlrun.statistics import Residuals
from mtlrun.tasks.metrics import chosen


def columns_of(task: str, values: np.ndarray, classes: Sequence[Any]) -> dict[str, Any]:
    """The columns of one task from its numbers [N], or from the probabilities [N, K] of its classes.

    TASK holds the number or the most probable class; TASK[CLASS] the probability of a class.
    """
    if not classes:
        return {task: values}
    best = np.array(classes, dtype=object)[chosen(torch.from_numpy(values).log()).numpy()]
    return {task: best} | {f"{task}[{c}]": values[:, k] for k, c in enumerate(classes)}


def interval_columns(task: str, values: np.ndarray, width: float, residuals: Residuals) -> dict[str, np.ndarray]:
    """The columns TASK[low] and TASK[high] with the ends of the intervals of numbers [N].

    width: half of an interval's width; residuals: they know the least possible label, below which no end is
    """
    low, high = residuals.interval(values, width)
    return {f"{task}[low]": low, f"{task}[high]": high}
