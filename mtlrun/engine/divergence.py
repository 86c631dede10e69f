"""Finds runs with losses, gradients or parameters that are not finite, and the error message of each."""

import math

from torch import Tensor

from mtlrun.engine.evaluate import Figures
from mtlrun.engine.guard import ALL_FINITE
from mtlrun.engine.history import Past
from mtlrun.engine.member import Member
from mtlrun.engine.state import TrainingState

Failure = tuple[Member, str]  # a run, and the error that ends it


def diverged(state: TrainingState) -> list[Failure]:
    """Returns the runs that have diverged: those with a loss, gradient or parameter that is not finite.

    With `trainer.on_nan=skip`, only parameters count. The error names the first such step and quantity.
    """
    past, step = state.history.past(), state.stack.step
    steps = (past.nonfinite != ALL_FINITE) | (~past.losses.isfinite()).any(2)  # [n, R]
    columns = ~step.flat.values.isfinite()  # [R, P]
    at_fault = columns.any(1) if step.guard.skips else columns.any(1) | steps.any(0)
    if not bool(at_fault.any()):
        return []
    failures = []
    for member in state.running:
        if at_fault[member.at]:
            if bool(steps[:, member.at].any()):
                error = _first_nonfinite(state, past, member, steps[:, member.at])
            else:
                name = step.flat.name_of(int(columns[member.at].int().argmax()))
                error = f"the parameter {name} is not finite after step {state.step}"
            failures.append((member, f"diverged: {error}"))
    return failures


def count_skipped(state: TrainingState) -> list[Failure]:
    """With `trainer.on_nan=skip`: counts and reports the steps skipped since the last evaluation.

    Returns the runs that have failed: those that skipped all steps of a whole epoch.
    """
    if not state.stack.step.guard.skips:
        return []
    past = state.history.past()
    nonfinite = past.nonfinite != ALL_FINITE  # [n, R]
    epoch = min(state.stack.train.steps, state.total)
    failures = []
    for member in state.running:
        skipped = nonfinite[:, member.at]
        count = int(skipped.sum())
        if not count:
            member.idle = 0
            continue
        member.skipped += count
        first = _first_nonfinite(state, past, member, skipped)
        member.say(f"{count} of {len(skipped)} steps skipped: {first}")
        since_taken = int(skipped.flip(0).int().cumprod(0).sum())
        member.idle = since_taken + (member.idle if count == len(skipped) else 0)
        if member.idle >= epoch:
            failures.append((member, f"diverged: {first}, and the last {member.idle} steps were all skipped"))
    return failures


def nonfinite_on_val(member: Member, figures: Figures, step: int) -> str | None:
    """Returns the error of a run with a loss on val, in `figures`, that is not finite; None if all are finite."""
    for task, metric in member.selection.trivial:
        if metric == "loss" and not math.isfinite(value := figures.get((task, metric), math.nan)):
            return f"diverged: the loss of {task} on val is {value:g} after step {step}"
    return None


def _first_nonfinite(state: TrainingState, past: Past, member: Member, steps: Tensor) -> str:
    """Says what was not finite in the first of `steps`, `[n]` bool: the steps of `past` with such a quantity."""
    first = int(steps.int().argmax())
    number, losses = state.step - len(past) + first + 1, past.losses[first, member.at]  # [T]
    for task, value in zip(state.stack.network.tasks, losses.tolist(), strict=True):
        if not math.isfinite(value):
            return f"the loss of {task} is {value:g} in step {number}"
    name = state.stack.step.flat.name_of(int(past.nonfinite[first, member.at]))
    return f"the gradient of {name} is not finite in step {number}, where all losses are"
