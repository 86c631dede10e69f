"""Horizontal bars: importance of the inputs, and cost."""

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure

from mtlrun.compare.records import Comparison, Estimate, Importance
from mtlrun.compare.report.pictures.canvas import DASHED, chart, named_rows, numbers
from mtlrun.compare.report.pictures.style import (
    INK,
    PALETTE,
    Names,
    Sign,
    in_lines,
    is_finite,
    label_height,
    whisker,
)

MOST_INPUTS, MOST_SETTINGS = 15, 6  # largest numbers in one picture of importances

Bar = tuple[Estimate, str]  # estimate, colour


def importances(comparison: Comparison, names: Names) -> Iterator[tuple[str, Figure]]:
    """A picture for each task: how much worse its figure gets if an input is permuted."""
    by_task: dict[str, list[Importance]] = {}
    for entry in comparison.importances:
        by_task.setdefault(entry.task, []).append(entry)
    for task, entries in by_task.items():
        finite = [entry for entry in entries if is_finite(entry.estimate)]
        if not finite:
            continue
        column = next((column for column in comparison.columns if column.task == task), None)
        unit = f" ({column.unit})" if column and column.unit else ""
        figure = f"{column.metric}{unit}" if column else "figure"
        yield f"importance_{task}", _importance(task, figure, finite, names)


def _importance(task: str, figure: str, entries: Sequence[Importance], names: Names) -> Figure:
    """At most 15 inputs (largest mean over settings first) and 6 settings. The title says if there are more."""
    settings = list(dict.fromkeys(entry.label for entry in entries))
    shown = settings[:MOST_SETTINGS]
    sizes: dict[str, list[float]] = {}
    for entry in entries:
        sizes.setdefault(entry.input, []).append(entry.estimate.mean)
    inputs = sorted(sizes, key=lambda name: -sum(sizes[name]) / len(sizes[name]))
    estimates = {(entry.input, entry.label): entry.estimate for entry in entries}
    groups = []
    for name in inputs[:MOST_INPUTS]:
        bars = [(estimates[name, label], names.colour(label)) for label in shown if (name, label) in estimates]
        if bars:
            groups.append((in_lines(name, 26, 2), bars))
    limits = ((inputs, MOST_INPUTS, "inputs"), (settings, MOST_SETTINGS, "settings"))
    left_out = [f"{most} of {len(every)} {word}" for every, most, word in limits if len(every) > most]
    title = f"What {task} is learnt from" + (f" ({', '.join(left_out)})" if left_out else "")
    signs = [Sign(names.lines(label, 34), names.colour(label), "s") for label in shown]
    return _bars(title, groups, f"{figure}: how much worse when the input is permuted", signs)


def cost(comparison: Comparison, names: Names) -> Iterator[tuple[str, Figure]]:
    """Time per step of each setting."""
    groups = [
        (names.lines(row.label), [(Estimate(row.cost.relative, None, None, {}), PALETTE[0])])
        for row in comparison.rows
        if row.cost is not None and row.cost.relative is not None
    ]
    if groups:
        axis = "multiple of the plain sum's time per step (← cheaper)"
        yield "cost", _bars(f"Time per training step{names.note}", groups, axis, (), 1.0)


def _bars(
    title: str,
    groups: Sequence[tuple[str, Sequence[Bar]]],
    axis: str,
    legend: Sequence[Sign],
    line: float | None = None,
) -> Figure:
    """Horizontal bars in labelled groups from the top down, a bar per setting, and a dashed vertical line at `line`."""
    labels = [label for label, _ in groups]
    thick = 0.1 if max(len(bars) for _, bars in groups) > 2 else 0.14
    heights = [max(0.06 + label_height(label), 0.1 + thick * len(bars)) for label, bars in groups]
    figure, axes = chart(title, sum(heights), axis, legend=legend if len(legend) > 1 else ())
    for middle, (_, bars) in zip(named_rows(axes, labels, heights), groups, strict=True):
        places = [middle + (i - (len(bars) - 1) / 2) * thick for i in range(len(bars))]
        axes.barh(places, [estimate.mean for estimate, _ in bars], 0.86 * thick, color=[colour for _, colour in bars])
        for place, (estimate, _) in zip(places, bars, strict=True):
            if (interval := whisker(estimate)) is not None:
                axes.hlines(place, *interval, colors=INK, linewidths=0.9)
    numbers(axes.xaxis)
    if line is not None:
        axes.axvline(line, **DASHED)
    return figure
