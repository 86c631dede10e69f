"""Computes the figures of an evaluation, for all runs of a stack."""

import math
from dataclasses import dataclass

import numpy as np

from mtlrun.engine.diagnostics import dead_units, gradient_conflicts, mean_gates
from mtlrun.engine.evaluate import Figures
from mtlrun.engine.history import Past
from mtlrun.engine.state import TrainingState
from mtlrun.lr import schedule_factors
from mtlrun.network.penalties import scheme_figures
from mtlrun.storage.writer import Row

FINAL = ("loss", "sigma")  # training figures of a task at the selected evaluation, which summary.json has


@dataclass(frozen=True)
class Measured:
    """The figures of one run at an evaluation.

    train: of the steps since the last evaluation, finite ones only; val: losses and metrics on val; look: dead units
    and gates on val
    """

    train: Figures
    val: Figures
    look: Figures


def measure(state: TrainingState) -> list[Measured]:
    """Returns the figures of every run at an evaluation."""
    stack, nothing = state.stack, [Figures() for _ in state.members]
    val, train = stack.val(), training_figures(state)
    dead = dead_units(stack.val) if stack.configs[0].trainer.log_activations else nothing
    gates = mean_gates(stack.val) if stack.network.sharing.gated and not stack.val.empty else nothing
    return [Measured(t, v, d | g) for t, v, d, g in zip(train, val, dead, gates, strict=True)]


def rows_of(figures: Figures, split: str, epoch: int, step: int) -> list[Row]:
    """Returns figures as rows of metrics.csv."""
    return [(epoch, step, split, task, metric, value) for (task, metric), value in figures.items()]


def finite(figures: Figures) -> Figures:
    """Returns the figures that are finite."""
    return {key: value for key, value in figures.items() if math.isfinite(value)}


def training_figures(state: TrainingState) -> list[Figures]:
    """Returns the training figures of every run.

    Mean losses and weights are over the steps since the last evaluation. Rates and the gradient's norm are those of
    the last step. Strategy and sharing scheme add theirs; `trainer.log_gradients` adds those of the tasks' gradients.
    """
    stack = state.stack
    step, network = stack.step, stack.network
    losses, weights, labelled = _means(state.history.past(), step.guard.skips)
    norms = step.gradient_norms().tolist()
    factor = float(schedule_factors(stack.configs[0].lr, np.array([state.step - 1]), state.total, stack.train.steps)[0])
    gradients = gradient_conflicts(state) if stack.configs[0].trainer.log_gradients else None
    counted = ((network.tasks, step.strategy.figures()), (network.order, scheme_figures(network)))
    further = [(tasks, name, values.tolist()) for tasks, own in counted for name, values in own.items()]
    found = []
    for r, rates in enumerate(step.rates.groups):
        figures: Figures = {}
        for t, task in enumerate(network.tasks):
            if labelled[r][t]:
                figures[task, "loss"] = losses[r][t]
            figures[task, "weight"] = weights[r][t]
            figures[task, "rate"] = rates[task] * factor
        figures["", "rate"] = rates["trunk"] * factor
        figures["", "grad_norm"] = norms[r]
        for tasks, name, values in further:  # by run: a number, or one for each task
            if isinstance(values[r], list):
                figures |= {(task, name): float(value) for task, value in zip(tasks, values[r], strict=True)}
            else:
                figures["", name] = float(values[r])
        if gradients is not None:
            figures |= gradients[r]
        # a norm may overflow although the gradient is finite
        found.append(finite(figures))
    return found


def goal_rows(state: TrainingState) -> dict[int, Row]:
    """Returns a row `goal_step` for each run that has reached `trainer.goal`, by the run's place in the stack.

    That is the first step since the last evaluation before which the losses of all tasks were present and summed to
    `trainer.goal` or less. A run gets one such row.
    """
    goal = state.stack.configs[0].trainer.goal
    if goal is None:
        return {}
    past = state.history.past()
    met = (past.losses.double().sum(2) <= goal) & past.present.all(2)  # [n, R]
    first, reached = met.int().argmax(0).tolist(), met.any(0).tolist()
    rows: dict[int, Row] = {}
    for member in state.running:
        if member.goal_step is None and reached[member.at]:
            member.goal_step = state.step - len(past) + first[member.at]
            rows[member.at] = (state.epoch, state.step, "train", "", "goal_step", float(member.goal_step))
    return rows


def _means(past: Past, skips: bool) -> tuple[list[list[float]], list[list[float]], list[list[int]]]:
    """Returns mean losses, mean weights, and the steps in which a task had labels and a finite loss, `[R][T]` each."""
    counted = past.present & past.losses.isfinite()  # [n, R, T]
    counts = counted.sum(0)  # [R, T]
    losses = past.losses.double().where(counted, 0).sum(0) / counts
    weights = past.weights.double()
    # weights of a skipped step may be nan
    means = weights.nanmean(0) if skips else weights.mean(0)
    return losses.tolist(), means.tolist(), counts.tolist()
