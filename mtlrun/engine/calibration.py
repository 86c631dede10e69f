"""What val says about the selected parameters of a run: temperatures of classes, residuals of numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtlrun.engine.evaluate import Figures, TaskRows
from mtlrun.engine.stack import Stack
from mtlrun.statistics import Residuals, fit_temperature, interval_figures, residuals
from mtlrun.tasks import type_of
from mtlrun.tasks.base import has_own_predictions


@dataclass(frozen=True)
class Calibration:
    """Temperatures by task with classes, empty without trainer.calibrate; residuals by task with numbers."""

    temperatures: Mapping[str, float] = field(default_factory=dict)
    residuals: Mapping[str, Residuals] = field(default_factory=dict)

    def to_plain(self, tasks: Sequence[str]) -> dict[str, Any]:
        """Tensors and plain values for a checkpoint that contains `tasks`."""
        return {
            "temperatures": {task: value for task, value in self.temperatures.items() if task in tasks},
            "residuals": {
                task: {name: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for name, v in vars(own).items()}
                for task, own in self.residuals.items()
                if task in tasks
            },
        }

    def along(self, tasks: Sequence[str]) -> Tensor:
        """The temperatures `[1, T]` of a single run, 1 for a task without one."""
        return torch.tensor([[self.temperatures.get(task, 1.0) for task in tasks]])

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> "Calibration":
        """From the content of best.pt. Empty if an older version wrote it.

        Raises one of the errors that `checkpoint.read_from` expects if it is no calibration.
        """
        plain, found = tree.get("calibration", {"temperatures": {}, "residuals": {}}), {}
        for task, own in plain["residuals"].items():
            widths, shares = own["widths"].double().numpy(), own["shares"].double().numpy()
            if widths.shape != shares.shape or not widths.shape[0]:
                raise ValueError(f"{task} has {widths.shape} residuals and {shares.shape} shares")
            found[task] = Residuals(widths, shares, int(own["rows"]), float(own["least"]))
        temperatures = {task: float(value) for task, value in plain["temperatures"].items()}
        if not all(value > 0 for value in temperatures.values()):
            raise ValueError("a temperature is not above 0")
        return cls(temperatures, found)


@dataclass(frozen=True)
class Fitted:
    """The calibration of one run. val: for its tasks with a temperature, the figures on val with it, and itself."""

    calibration: Calibration = Calibration()
    val: Figures = field(default_factory=dict)


def fit(stack: Stack, runs: Sequence[int], outputs: Sequence[Tensor] | None = None) -> dict[int, Fitted]:
    """Fits the calibration of some runs of a stack on val. From then on `stack.test` applies their temperatures.

    outputs: of each block on val, `[R, N, T, K]`; None: those of the current network
    """
    numbers = _numbers(stack)
    classes = {r: _scalable(stack) if stack.configs[r].trainer.calibrate else [] for r in runs}
    if not runs or stack.val.empty or not (numbers or any(classes.values())):
        return {r: Fitted() for r in runs}
    outputs = stack.val.outputs() if outputs is None else outputs
    tasks, before = stack.network.tasks, stack.test.temperatures
    factors = torch.ones(len(stack.configs), len(tasks)).to(stack.device) if before is None else before.clone()
    found = {}
    for r in runs:
        temperatures = {task: _temperature(stack.val.rows_of(outputs, r, task)) for task in classes[r]}
        own = {task: _residuals(stack.val.rows_of(outputs, r, task), least) for task, least in numbers.items()}
        found[r] = Calibration(temperatures, {task: value for task, value in own.items() if value is not None})
        for task, value in temperatures.items():
            factors[r, tasks.index(task)] = value
    if not any(classes.values()):
        return {r: Fitted(own) for r, own in found.items()}
    stack.test.temperatures = factors
    val = stack.val(stack.val.scaled(outputs, factors))
    return {r: Fitted(own, _figures(own, val[r])) for r, own in found.items()}


def _figures(own: Calibration, val: Figures) -> Figures:
    """The figures `Fitted.val` of one run, from those of all tasks."""
    figures = {key: value for key, value in val.items() if key[0] in own.temperatures}
    return figures | {(task, "temperature"): value for task, value in own.temperatures.items()}


def _numbers(stack: Stack) -> dict[str, float]:
    """The tasks with numbers, and the least possible label of each."""
    declared = {task: type_of(target.type) for task, target in stack.datasets[0].targets.items()}
    return {task: own.least for task, own in declared.items() if own.has_numbers}


def _scalable(stack: Stack) -> list[str]:
    """The tasks with classes whose outputs are logits."""
    found = []
    for task, target in stack.datasets[0].targets.items():
        kind = type(stack.network.place[task][0].kind)
        if target.classes and not has_own_predictions(kind):
            found.append(task)
    return found


def _temperature(rows: TaskRows) -> float:
    return fit_temperature(rows.kind.logits(rows.outputs, rows.classes), rows.labels, rows.weights)


def _residuals(rows: TaskRows, least: float) -> Residuals | None:
    predicted, labels = rows.numbers()
    return residuals(labels - predicted, rows.weights, least)


def on_test(stack: Stack, outputs: Sequence[Tensor], run: int, calibration: Calibration) -> Figures:
    """Returns the figures of one run's intervals on test, from the outputs of all blocks there."""
    figures: Figures = {}
    if stack.test.empty:
        return figures
    for task, own in calibration.residuals.items():
        rows = stack.test.rows_of(outputs, run, task)
        kept = rows.weights > 0
        for name, values in interval_figures(*rows.numbers(), own).items():
            if kept.any():
                figures[task, name] = float(np.average(values[kept], weights=rows.weights[kept]))
    return figures


def temperature_lines(val: Figures, before: Mapping[str, float]) -> list[str]:
    """A line for each temperature. val: figures with it; before: figures without it, by name."""
    lines = []
    for (task, metric), value in val.items():
        if metric == "temperature":
            losses = [before.get(f"val/{task}/logloss"), val.get((task, "logloss"))]
            change = "" if None in losses else f"; logloss on val {losses[0]:.4g}, now {losses[1]:.4g}"
            lines.append(f"{task}: temperature {value:.3g}{change}")
    return lines
