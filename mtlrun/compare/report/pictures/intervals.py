"""Pictures of intervals: Δm, the figure of each task, and effects."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from mtlrun.compare.records import Comparison, Effect, Estimate, Row, TaskColumn
from mtlrun.compare.report.pictures.canvas import DASHED, chart, named_rows, numbers
from mtlrun.compare.report.pictures.style import (
    PALETTE,
    SOFT,
    Names,
    Sign,
    in_lines,
    is_finite,
    label_height,
    verdict_sign,
    whisker,
)
from mtlrun.compare.report.rounding import number

FIRST_BETTER = Sign("first better", PALETTE[0], "o")
FIRST_WORSE = Sign("first worse", PALETTE[1], "X")
UNDECIDED = Sign("Holm p above 0.05", SOFT, "s")


@dataclass(frozen=True)
class Dot:
    """One row of a picture: its label in lines, the estimate, and its sign."""

    label: str
    estimate: Estimate
    sign: Sign


def delta_m(comparison: Comparison, names: Names) -> Iterator[tuple[str, Figure]]:
    """Δm of every setting except the trivial predictor, which is so far away that it would squeeze all others."""
    dots = [
        Dot(names.lines(row.label), row.delta_m, verdict_sign(comparison, row))
        for row in _by_delta_m(comparison.rows)
        if not row.trivial and row.delta_m is not None and is_finite(row.delta_m)
    ]
    if dots:
        title = f"Δm: how much worse than the baseline, mean over tasks{names.note}"
        axis = f"Δm, percent of {names.lines(comparison.baseline, 30, 1)} (← better)"
        yield "delta_m", _dots(title, dots, axis, 0.0)


def by_task(comparison: Comparison, names: Names) -> Iterator[tuple[str, Figure]]:
    """The figures of each task."""
    for column in comparison.columns:
        rows = [row for row in _by_delta_m(comparison.rows) if is_finite(row.figures.get(column.task))]
        if any(not row.trivial for row in rows):
            yield f"interval_{column.task}", _task(comparison, column, rows, names)


def _task(comparison: Comparison, column: TaskColumn, rows: Sequence[Row], names: Names) -> Figure:
    """The figure of a task by setting. That of the trivial predictor is in the title: it would squeeze the others."""
    title = f"{column.task}{names.note}"
    trivial = next((row for row in rows if row.trivial), None)
    if trivial is not None:
        title += f" ({names.lines(trivial.label, 30, 1)}: {number(trivial.figures[column.task].mean, 3)})"
    shown = [row for row in rows if not row.trivial]
    baseline = next((row.figures[column.task].mean for row in shown if row.label == comparison.baseline), None)
    dots = [Dot(names.lines(row.label), row.figures[column.task], verdict_sign(comparison, row)) for row in shown]
    arrow = "higher is better →" if column.higher else "← lower is better"
    unit = f" ({column.unit})" if column.unit else ""
    return _dots(title, dots, f"{column.metric}{unit}, {comparison.split}, {arrow}", baseline)


def effects(comparison: Comparison, names: Names) -> Iterator[tuple[str, Figure]]:
    """The named differences: effects of a factorial, or contrasts of a plan."""
    if comparison.effects:
        dots = [_effect(effect) for effect in comparison.effects]
        axis = "first − second, difference of Δm in percent (← first better)"
        yield "effects", _dots("Effects on Δm, paired by seed", dots, axis, 0.0)


def _effect(effect: Effect) -> Dot:
    label = in_lines(f"{effect.factor}: {effect.level} − {effect.against}", 30, 4)
    decided = FIRST_WORSE if effect.estimate.mean >= 0 else FIRST_BETTER
    return Dot(label, effect.estimate, UNDECIDED if effect.p_holm > 0.05 else decided)


def _by_delta_m(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.delta_m.mean if row.delta_m and is_finite(row.delta_m) else math.inf)


def _dots(title: str, dots: Sequence[Dot], axis: str, line: float | None) -> Figure:
    """Dots with whiskers, one per row from the top down, a dashed vertical line at `line`, and a legend."""
    labels = [dot.label for dot in dots]
    heights = [0.07 + label_height(label) for label in labels]
    legend = sorted({dot.sign for dot in dots}, key=lambda sign: sign.name)
    figure, axes = chart(title, sum(heights), axis, legend=legend)
    places = named_rows(axes, labels, heights)
    numbers(axes.xaxis)
    if line is not None:
        axes.axvline(line, **DASHED)
    held = [(whisker(dot.estimate), place, dot.sign) for place, dot in zip(places, dots, strict=True)]
    known = [(*interval, place, sign.colour) for interval, place, sign in held if interval is not None]
    if known:
        lows, highs, at, colours = zip(*known, strict=True)
        axes.hlines(at, lows, highs, colors=colours, linewidths=1.6)
    for place, dot in zip(places, dots, strict=True):
        axes.plot([dot.estimate.mean], [place], marker=dot.sign.marker, color=dot.sign.colour, markersize=5)
    return figure
