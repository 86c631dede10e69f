"""The common layout of all pictures: axes with a title above and a legend below, in inches."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mtlrun.compare.report.pictures.style import GRID, LETTER, LINE, SOFT, Sign, label_height, longest_line
from mtlrun.compare.report.pictures.ticks import Scale
from mtlrun.compare.report.wrapping import wrap

WIDTH = 4.7  # inches: legible on a phone; two fit side by side on a desktop


def left_of(labels: Sequence[str]) -> float:
    """The width in inches of labels left of the axes."""
    return 0.2 + 0.066 * max(map(longest_line, labels))


class Canvas:
    """A figure with one pair of axes, a title above and a legend below, laid out in inches.

    Axes, ticks and legend are plain lines and texts. matplotlib's automatic ones measure every text several times; with
    them a report with thirty pictures takes five times as long. Data are drawn in `axes`, in data units.
    """

    def __init__(
        self,
        title: str,
        height: float,
        left: float,
        axis: str = "",
        up: str = "",
        below: float = 0.29,
        legend: Sequence[Sign] = (),
    ) -> None:
        """Lays out the figure. Sizes are in inches.

        height: of the axes. left: width left of the axes. below: height of the ticks under the axes.
        axis, up: names of the x and the y axis.
        """
        lines = wrap(title, 56, 3, "")[0]
        self.axis = wrap(axis, int(WIDTH / LETTER) - 2, 3, "")[0] if axis else []
        self.up = wrap(up, int(height / LETTER), 3, "")[0] if up else []
        left += LINE * max(0, len(self.up) - 1)
        bottom = below + LINE * len(self.axis)
        self.height, self.left, self.width = height, left, WIDTH - left - 0.2
        columns = _in_columns(legend)
        taken = max(sum(label_height(sign.name) for sign in column) for column in columns)
        self.bottom = bottom + (taken + 0.08 if legend else 0.0)
        whole = height + self.bottom + 0.16 + LINE * len(lines)
        self.figure = Figure(figsize=(WIDTH, whole))
        self.figure.set_label(title)
        self.axes = self.figure.add_axes((left / WIDTH, self.bottom / whole, self.width / WIDTH, height / whole))
        self.axes.set_axis_off()
        self.axes.set_title("", y=1)  # a fixed place: else matplotlib lays out the empty title around all ticks
        self.axes.set_autoscale_on(False)
        self.text(0.08, whole - 0.06, "\n".join(lines), va="top", weight="bold", size=9.5)
        for index, column in enumerate(columns):
            self._legend(column, 0.1 + index * WIDTH / 2, taken + 0.06)

    def _legend(self, signs: Sequence[Sign], x: float, top: float) -> None:
        """Draws one column of the legend, from the top down."""
        for sign in signs:
            y = top - LINE / 2 + 0.02
            self.line(
                [x, x + 0.16, x + 0.32],
                [y, y, y],
                color=sign.colour,
                marker=sign.marker,
                markersize=4.5,
                linestyle=sign.dashes or "none",
                linewidth=1.4,
                markevery=[1],
            )
            self.text(x + 0.4, top, sign.name, va="top", size=8)
            top -= label_height(sign.name)

    def text(self, x: float, y: float, text: str, **how: Any) -> None:
        """Draws a text at a position in inches from the lower left corner."""
        self.figure.text(x, y, text, transform=self.figure.dpi_scale_trans, **how)

    def line(self, x: Sequence[float], y: Sequence[float], **how: Any) -> None:
        """Draws a line at positions in inches from the lower left corner."""
        self.figure.add_artist(Line2D(x, y, transform=self.figure.dpi_scale_trans, **how))

    def plot(self, x: Sequence[float], y: Sequence[float], **how: Any) -> None:
        """Draws a line or markers in data units."""
        self.axes.add_line(Line2D(x, y, **how))

    def dashed(self, x: Sequence[float], y: Sequence[float]) -> None:
        """Draws a dashed line for comparison, in data units."""
        self.plot(x, y, color=SOFT, linewidth=1.1, linestyle=(0, (4, 2)))

    def segments(self, segments: Sequence[Any], colours: Sequence[str], **how: Any) -> None:
        """Draws line segments in data units."""
        self.axes.add_collection(LineCollection(segments, colors=colours, **how), autolim=False)

    def scale_x(self, scale: Scale) -> None:
        """Draws the x axis: limits, ticks with grid lines, and the name."""
        self.axes.set_xlim(scale.low, scale.high)
        if scale.log:
            self.axes.set_xscale("log")
        x, y = self.left, self.bottom
        grid = []
        for place, label in zip(scale.places, scale.labels, strict=True):
            at = x + place * self.width
            grid.append([(at, y), (at, y + self.height)])
            self.text(at, y - 0.05, label, ha="center", va="top", size=8)
        self._grid(grid)
        self.line([x, x + self.width], [y, y], color=SOFT, linewidth=0.8)
        half = LETTER * max(map(len, self.axis), default=0) / 2  # centred under the axes, unless it would be cut off
        at = max(0.05 + half, min(x + self.width / 2, WIDTH - 0.05 - half))
        self.text(at, y - 0.05 - LINE * 1.15, "\n".join(self.axis), ha="center", va="top")

    def scale_y(self, scale: Scale) -> None:
        """Draws the y axis: limits, ticks with grid lines, and the name."""
        self.axes.set_ylim(scale.low, scale.high)
        if scale.log:
            self.axes.set_yscale("log")
        x, y = self.left, self.bottom
        grid = []
        for place, label in zip(scale.places, scale.labels, strict=True):
            at = y + place * self.height
            grid.append([(x, at), (x + self.width, at)])
            self.text(x - 0.05, at, label, ha="right", va="center", size=8)
        self._grid(grid)
        self.line([x, x], [y, y + self.height], color=SOFT, linewidth=0.8)
        self.text(0.09, y + self.height / 2, "\n".join(self.up), ha="left", va="center", rotation=90)

    def _grid(self, lines: Sequence[Any]) -> None:
        inches = self.figure.dpi_scale_trans
        self.figure.add_artist(LineCollection(lines, colors=GRID, linewidths=0.6, transform=inches, zorder=-1))

    def names(self, labels: Sequence[str], heights: Sequence[float]) -> list[float]:
        """Draws labels left of the axes, from the top down. heights: in inches. Returns their places in y units."""
        places, below = [], 0.0
        for label, height in zip(labels, heights, strict=True):
            places.append(below + height / 2)
            below += height
            self.text(self.left - 0.08, self.bottom + self.height - places[-1], label, ha="right", va="center", size=8)
        self.axes.set_ylim(self.height, 0)
        return places


def _in_columns(legend: Sequence[Sign]) -> list[Sequence[Sign]]:
    """The legend in two columns if all names are short, else in one."""
    columns = 2 if len(legend) > 1 and max(longest_line(sign.name) for sign in legend) <= 28 else 1
    per_column = math.ceil(len(legend) / columns)
    return [legend[i * per_column : (i + 1) * per_column] for i in range(columns)]
