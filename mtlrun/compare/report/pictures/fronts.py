"""Scatter pictures of two tasks, with the Pareto front of the means of the settings."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from matplotlib.figure import Figure

from mtlrun.compare.records import Comparison, Row, TaskColumn
from mtlrun.compare.report.pictures.canvas import chart, numbers
from mtlrun.compare.report.pictures.style import INK, SOFT, Names, is_finite, whisker
from mtlrun.compare.report.result_table import direction

Pair = tuple[TaskColumn, TaskColumn]
MOST_TASKS = 3  # up to this number every pair of tasks has a picture; with more tasks only the first two


def fronts(comparison: Comparison, names: Names) -> Iterator[tuple[str, Figure]]:
    """A picture for each pair of tasks for which at least two settings have both figures."""
    columns = comparison.columns if len(comparison.columns) <= MOST_TASKS else comparison.columns[:2]
    for pair in combinations(columns, 2):
        rows = [row for row in comparison.rows if not row.trivial and _has_both(row, pair)]
        if len(rows) > 1:
            yield f"front_{pair[0].task}_{pair[1].task}", _front(rows, pair, names)


def _has_both(row: Row, pair: Pair) -> bool:
    return all(is_finite(row.figures.get(column.task)) for column in pair)


def _front(rows: Sequence[Row], pair: Pair, names: Names) -> Figure:
    """Both figures of each setting with intervals. A ring means that no other setting dominates it in these figures."""
    one, other = pair
    title = f"{one.task} and {other.task} (ringed: not dominated){names.note}"
    across, up = (f"{column.task}: {direction(column)}" for column in pair)
    figure, axes = chart(title, 2.7, across, up, legend=[names.sign(row.label, line=False) for row in rows])
    numbers(axes.xaxis)
    numbers(axes.yaxis)
    front = sorted(_front_of(rows, pair), key=lambda row: row.figures[one.task].mean)
    axes.plot(
        [row.figures[one.task].mean for row in front],
        [row.figures[other.task].mean for row in front],
        color=SOFT,
        linewidth=0.9,
        linestyle=(0, (2, 2)),
        marker="o",
        markersize=11,
        markerfacecolor="none",
        markeredgecolor=INK,
        markeredgewidth=0.9,
    )
    for row in rows:
        x, y, colour = row.figures[one.task], row.figures[other.task], names.colour(row.label)
        if (interval := whisker(x)) is not None:
            axes.hlines(y.mean, *interval, colors=colour, linewidths=0.9, alpha=0.6)
        if (interval := whisker(y)) is not None:
            axes.vlines(x.mean, *interval, colors=colour, linewidths=0.9, alpha=0.6)
        axes.plot([x.mean], [y.mean], marker=names.marker(row.label), color=colour, markersize=6)
    return figure


def _front_of(rows: Sequence[Row], pair: Pair) -> list[Row]:
    """The rows that no other row dominates, that is, no other row is nowhere worse and somewhere better."""
    losses = [tuple(row.figures[c.task].mean * (-1 if c.higher else 1) for c in pair) for row in rows]
    return [
        row
        for row, loss in zip(rows, losses, strict=True)
        if not any(other != loss and other[0] <= loss[0] and other[1] <= loss[1] for other in losses)
    ]
