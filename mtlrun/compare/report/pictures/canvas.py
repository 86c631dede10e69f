"""The common layout of all pictures: a title, one pair of axes, and a legend below. matplotlib places them.

A figure has the width of one column. Its height is an estimate from the lines of text; the constrained layout of
matplotlib gives the axes what the texts leave.
"""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from mtlrun.compare.report.pictures.style import (
    LETTER,
    LINE,
    SOFT,
    Sign,
    in_lines,
    label_height,
    line_count,
    longest_line,
)

WIDTH = 4.7  # inches: legible on a phone; two fit side by side on a desktop
DASHED: Any = {"color": SOFT, "linewidth": 1.1, "linestyle": (0, (4, 2))}  # a line for comparison
STEPS = (1, 2, 2.5, 5, 10)  # distances of ticks, times a power of ten
SUBS = (1, 3)  # ticks of a logarithmic axis, times powers of ten


def chart(
    title: str, height: float, across: str = "", up: str = "", legend: Sequence[Sign] = ()
) -> tuple[Figure, Axes]:
    """A figure and its axes. height: of the axes, in inches. across, up: names of the x and the y axis."""
    lines = in_lines(title, 56, 3)
    across = in_lines(across, int(WIDTH / LETTER) - 2, 3) if across else ""
    columns = _columns(legend)
    rows = [legend[i : i + columns] for i in range(0, len(legend), columns)]
    below = sum(max(label_height(sign.name) for sign in row) for row in rows) + 0.1 if rows else 0.0
    whole = height + LINE * (line_count(lines) + 1 + (line_count(across) if across else 0)) + below + 0.2
    figure = Figure(figsize=(WIDTH, whole), layout="constrained")
    figure.set_label(title)
    figure.suptitle(lines, x=0.02, ha="left")
    axes = figure.add_subplot()
    axes.set_xlabel(across, loc="right")  # a long name extends to the left, below the labels of the rows
    axes.set_ylabel(in_lines(up, max(20, int(1.1 * height / LETTER)), 3) if up else "")
    if legend:
        figure.legend(handles=[_handle(sign) for sign in legend], loc="outside lower left", ncols=columns)
    return figure, axes


def _columns(legend: Sequence[Sign]) -> int:
    """Two columns if all names are short, else one."""
    return 2 if len(legend) > 1 and max(longest_line(sign.name) for sign in legend) <= 28 else 1


def _handle(sign: Sign) -> Line2D:
    return Line2D([], [], color=sign.colour, marker=sign.marker, linestyle=sign.dashes or "none", label=sign.name)


def numbers(axis: Axis, log: bool = False, integer: bool = False) -> None:
    """Sets ticks at round numbers, with separators of thousands. log: whether the axis is logarithmic."""
    if log:
        axis.set_major_locator(LogLocator(subs=SUBS, numticks=8))
    else:
        axis.set_major_locator(MaxNLocator(6, steps=STEPS, integer=integer))
    axis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    axis.set_minor_locator(NullLocator())


def named_rows(axes: Axes, labels: Sequence[str], heights: Sequence[float]) -> list[float]:
    """Names rows of these heights left of the axes, from the top down. Returns the y of each row."""
    ends = [sum(heights[: i + 1]) for i in range(len(heights))]
    places = [end - height / 2 for end, height in zip(ends, heights, strict=True)]
    axes.set_yticks(places, labels)
    axes.set_ylim(ends[-1], 0)
    axes.grid(visible=False, axis="y")
    return places
