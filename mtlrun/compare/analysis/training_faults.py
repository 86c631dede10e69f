"""Warnings on trainings whose figures need care: a weight that ran off, a penalty that turned all inputs off, ranks of
untrained nets. Only the curves of the settings that are drawn are read.
"""

from collections.abc import Iterator, Sequence

from mtlrun.compare.analysis.curves.metrics_files import Curves
from mtlrun.compare.collect.damage import first_few
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.collect.settings import Setting
from mtlrun.compare.records import Finding, TaskColumn

RAN_OFF, GROWN = 1000.0, 10.0  # a weight above this, and this many times its lowest value, ran off
ZEROS, RANK = "zeros", "rank_"  # metrics of sharing schemes


def training_faults(settings: Sequence[Setting], curves: Curves, columns: Sequence[TaskColumn]) -> list[Finding]:
    """A warning for each kind of fault, with the first runs."""
    runs = list({run.folder: run for s in settings for run in s.members if not run.boosting}.values())
    weights = [f"{run.name}: the weight of {'; of '.join(off)}" for run in runs if (off := [*_weights(run, curves)])]
    found = []
    if weights:
        text = (
            f"{first_few(weights)}: this task outweighs all others, and its steps are as if at a far larger learning "
            "rate; try another loss, or a smaller lr.base"
        )
        found.append(Finding("warning", "a weight ran off", text))
    if off := [run.name for run in runs if _last(curves, run, ZEROS) == 1.0]:
        text = f"{first_few(off)}: no task reads any input; the penalty is too strong (sharing.strength)"
        found.append(Finding("warning", "all inputs are off", text))
    if untrained := [run.name for run in runs if _untrained_rank(run, curves, columns)]:
        text = f"{first_few(untrained)}: the net is no better than the trivial predictor, so its ranks say nothing yet"
        found.append(Finding("warning", "ranks of an untrained net", text))
    return found


def _weights(run: RunRecord, curves: Curves) -> Iterator[str]:
    """The tasks whose weight ran off in a run, with the weight."""
    for task in run.tasks:
        _, values = curves.of(run, ("train", task, "weight"))
        if values and values[-1] >= RAN_OFF and values[-1] >= GROWN * min(values):
            yield f"{task} is {values[-1]:,.0f} at the end, from {values[0]:.3g}"


def _last(curves: Curves, run: RunRecord, metric: str) -> float | None:
    """The last value of a figure of a whole net on val; None if it has none."""
    _, values = curves.of(run, ("val", "", metric))
    return values[-1] if values else None


def _untrained_rank(run: RunRecord, curves: Curves, columns: Sequence[TaskColumn]) -> bool:
    """Whether a run has a rank of 1 or less, and no task of it is better than the trivial predictor."""
    ranks = [values[-1] for name, values in curves.whole_net(run, RANK) if values]
    if not ranks or min(ranks) > 1:
        return False
    for column in columns:
        key = f"test/{column.task}/{column.metric}"
        one, trivial = run.figures.get(key), run.trivial.get(key)
        if one is not None and trivial is not None and (one > trivial if column.higher else one < trivial):
            return False
    return True
