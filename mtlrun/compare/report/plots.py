"""The pictures of a comparison, as matplotlib figures of one column's width; no figure is kept by matplotlib itself."""

import math
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any, Literal

import matplotlib
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, Rectangle
from matplotlib.ticker import MaxNLocator

from mtlrun.compare.records import Comparison, Estimate, Row, Series, TaskColumn
from mtlrun.compare.report.render import direction, number, with_interval, wrap

# Ink, soft ink and grid, none of which is a colour of the palette: a page may put colours of its own in their place.
INK, SOFT, GRID, PAPER = "#16191d", "#5c6570", "#d4d8dd", "#ffffff"
# Okabe and Ito's palette without its yellow, which is lost on white; the seventh is ink.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK)
MARKERS = "osD^vPX"
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))

MOST_ROWS = 30  # in one picture: more are a column that nobody reads, and take most of a report's time
MOST_SHARES = 6  # settings whose gates or stitches are drawn
WIDTH = 4.7  # inches: legible on a phone's width, two beside each other on a desk's
LINE = 0.165  # inches that a line of text takes
LETTER = 0.074  # inches that a letter of an axis' name takes, on average
STYLE: Any = {
    "font.size": 8.5,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "text.parse_math": False,
    "figure.facecolor": PAPER,
    "svg.fonttype": "none",
    "svg.hashsalt": "mtlrun",
    "text.hinting": "none",  # a fifth faster
}


@contextmanager
def style() -> Iterator[None]:
    """Within it, figures are made and saved: labels are text and never formulas, SVG keeps text as text."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # a PNG shows a box for a letter that its font has not; the report's page takes another font
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def figures(comparison: Comparison) -> dict[str, Figure]:
    """The pictures by name, a name being fit for a file; only those for which there is something to show.

    To be called within `style()`. Every figure has its title in words as `get_label()`.
    """
    every = comparison
    comparison = _foremost(comparison)
    left = len(every.rows) - len(comparison.rows)
    names = Names(every.rows, f" ({len(comparison.rows)} of {len(every.rows)} settings)" if left else "")
    made: dict[str, Figure] = {}

    def add(name: str, figure: Figure | None) -> None:
        if figure is not None:
            made[_unused(re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-._")[:80] or "picture", made)] = figure

    add("delta_m", _delta_m(comparison, names))
    for column in comparison.columns:
        add(f"interval_{column.task}", _interval(comparison, column, names))
    add("effects", _effects(comparison))
    front = comparison.columns[:3] if len(comparison.columns) <= 3 else comparison.columns[:2]
    for one, other in combinations(front, 2):
        add(f"front_{one.task}_{other.task}", _front(comparison, one, other, names))
    settings = [row for row in every.rows if not row.trivial]
    for what in ("curve", "weight", "rate", "cosine", "trend"):
        chosen = [series for series in comparison.series if series.what == what and len(series.x)]
        for task, metric, key in dict.fromkeys((series.task, series.metric, series.key) for series in chosen):
            group = [series for series in chosen if (series.task, series.metric, series.key) == (task, metric, key)]
            told = {"trend": f"_{key}", "cosine": f"_{metric}"}.get(what, "")
            add(f"{what}_{task}{told}", _lines(comparison, group, names, len(settings)))
    for task in dict.fromkeys(entry.task for entry in comparison.importances):
        add(f"importance_{task}", _importance(comparison, task, names))
    if comparison.affinity is not None and len(comparison.affinity.tasks) > 1:
        tasks = comparison.affinity.tasks
        for name, title, values, centred in (
            ("gain", "Gain in percent of the task alone (positive: better)", comparison.affinity.gains, True),
            ("cosine", "Cosine of the tasks' gradients", comparison.affinity.cosines, True),
            ("distance", "Distance of the parameters of the single-task trunks", comparison.affinity.distances, False),
        ):
            add(
                f"affinity_{name}",
                _matrix(title, (tasks, tasks), values, centred, ("task", "trained with (task)"), from_zero=centred),
            )
    for label in list(dict.fromkeys(share.label for share in every.shares))[:MOST_SHARES]:
        for level, seed in dict.fromkeys((share.level, share.seed) for share in every.shares if share.label == label):
            name = f"shares_{label}_{level}" + (f"_seed_{seed}" if seed is not None else "")
            add(name, _shares(every, label, level, seed, names))
    add("expected", _expected(comparison, names))
    add("cost", _cost(comparison, names))
    return made


def _foremost(comparison: Comparison) -> Comparison:
    """The comparison with the first 30 rows, the reference, the baseline and the trivial predictor alone."""
    kept = (comparison.reference, comparison.baseline)
    rows = [row for i, row in enumerate(comparison.rows) if i < MOST_ROWS or row.label in kept or row.trivial]
    return replace(comparison, rows=rows)


@dataclass(frozen=True)
class Sign:
    """How a setting, or a verdict, is drawn: its name, colour, marker and, where it is a line, dashes."""

    name: str
    colour: str
    marker: str
    dashes: Any = None


class Names:
    """Labels of settings as pictures show them, and the colour, marker and dashes that a setting has in all of them."""

    def __init__(self, rows: Sequence[Row], note: str = "") -> None:
        """`note`: what titles of pictures say where they show some of the rows alone."""
        self.note = note
        self.order = {row.label: index for index, row in enumerate(rows)}

    def lines(self, label: str, width: int = 26, lines: int = 3) -> str:
        """The label in a few lines; what does not fit gives way to the row's number in the table."""
        return "\n".join(wrap(label, width, lines, f"[{self._index(label) + 1}]")[0])

    def colour(self, label: str) -> str:
        """One of seven colours."""
        return PALETTE[self._index(label) % len(PALETTE)]

    def marker(self, label: str) -> str:
        """A marker that differs from its colour's previous one."""
        index = self._index(label)
        return MARKERS[(index + index // len(PALETTE)) % len(MARKERS)]

    def dashes(self, label: str) -> Any:
        """A line style that differs from its neighbour's and from its colour's previous one."""
        index = self._index(label)
        return DASHES[(index + index // len(PALETTE)) % len(DASHES)]

    def sign(self, label: str, line: bool = True) -> Sign:
        """How the setting is drawn, with its label in lines fit for a legend."""
        return Sign(self.lines(label, 34), self.colour(label), self.marker(label), self.dashes(label) if line else None)

    def _index(self, label: str) -> int:
        return self.order.setdefault(label, len(self.order))


def _unused(name: str, taken: Mapping[str, object]) -> str:
    folded = {other.lower() for other in taken}  # file names that differ in case alone are one on some machines
    return next(free for i in range(len(taken) + 1) if (free := f"{name}_{i + 1}" if i else name).lower() not in folded)


class Canvas:
    """A figure with one pair of axes, a title above and a legend below, laid out in inches.

    Axes, ticks and legend are plain lines and texts: matplotlib's own measure every text several times, which makes a
    report with thirty pictures take five times as long. Data lie in `axes`, in their own units.
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
        """`axis` and `up` are the names of the axes; `below`: what ticks take under the axes, without the name."""
        lines = wrap(title, 56, 3, "")[0]
        self.axis = wrap(axis, int(WIDTH / LETTER) - 2, 3, "")[0] if axis else []
        self.up = wrap(up, int(height / LETTER), 3, "")[0] if up else []
        left += LINE * max(0, len(self.up) - 1)
        bottom = below + LINE * len(self.axis)
        self.height, self.left, self.width = height, left, WIDTH - left - 0.2
        columns = 2 if len(legend) > 1 and max(map(_longest, (sign.name for sign in legend))) <= 28 else 1
        per = math.ceil(len(legend) / columns)
        parts = [legend[i * per : (i + 1) * per] for i in range(columns)]
        taken = max(sum(_height(sign.name) for sign in part) for part in parts)
        self.bottom = bottom + (taken + 0.08 if legend else 0.0)
        whole = height + self.bottom + 0.16 + LINE * len(lines)
        self.figure = Figure(figsize=(WIDTH, whole))
        self.figure.set_label(title)
        self.axes = self.figure.add_axes((left / WIDTH, self.bottom / whole, self.width / WIDTH, height / whole))
        self.axes.set_axis_off()
        self.axes.set_title("", y=1)  # without a place of its own the empty title is laid out around all ticks
        self.axes.set_autoscale_on(False)
        self.text(0.08, whole - 0.06, "\n".join(lines), va="top", weight="bold", size=9.5)
        for column, part in enumerate(parts):
            top, x = taken + 0.06, 0.1 + column * WIDTH / 2
            for sign in part:
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
                top -= _height(sign.name)

    def text(self, x: float, y: float, text: str, **how: Any) -> None:
        """A text at inches from the lower left corner."""
        self.figure.text(x, y, text, transform=self.figure.dpi_scale_trans, **how)

    def line(self, x: Sequence[float], y: Sequence[float], **how: Any) -> None:
        """A line at inches from the lower left corner."""
        self.figure.add_artist(Line2D(x, y, transform=self.figure.dpi_scale_trans, **how))

    def plot(self, x: Sequence[float], y: Sequence[float], **how: Any) -> None:
        """A line or markers in the units of the axes."""
        self.axes.add_line(Line2D(x, y, **how))

    def segments(self, segments: Sequence[Any], colours: Sequence[str], **how: Any) -> None:
        """Pieces of lines in the units of the axes."""
        self.axes.add_collection(LineCollection(segments, colors=colours, **how), autolim=False)

    def scale(
        self,
        which: Literal["x", "y"],
        values: Iterable[float],
        log: bool = False,
        integer: bool = False,
        signed: bool = False,
        margin: float = 0.05,
    ) -> None:
        """Limits that hold the values, round ticks with grid lines, and the axis' name.

        On an axis from a power of ten to others the ticks are 1, 2 and 5 times powers of ten.
        """
        finite = [value for value in values if math.isfinite(value) and (value > 0 or not log)] or [0.0, 1.0]
        low, high = min(finite), max(finite)
        if log:
            low, high = low / 1.15, high * 1.15
            ticks = [
                m * 10.0**e
                for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
                for m in ((1, 2, 5) if high < 500 * low else (1,))
            ]
        else:
            spread = (high - low) or abs(high) or 1.0
            low, high = low - margin * spread, high + margin * spread
            ticks = list(MaxNLocator(6, integer=integer).tick_values(low, high))
        ticks = [tick for tick in ticks if low <= tick <= high]
        (self.axes.set_xlim if which == "x" else self.axes.set_ylim)(low, high)
        if log:
            (self.axes.set_xscale if which == "x" else self.axes.set_yscale)("log")
            low, high = math.log10(low), math.log10(high)
        words = _tick_words(ticks, signed)
        places = [((math.log10(tick) if log else tick) - low) / (high - low) for tick in ticks]
        x, y = self.left, self.bottom
        grid: list[list[tuple[float, float]]] = []
        for place, word in zip(places, words, strict=True):
            if which == "x":
                at = x + place * self.width
                grid.append([(at, y), (at, y + self.height)])
                self.text(at, y - 0.05, word, ha="center", va="top", size=8)
            else:
                at = y + place * self.height
                grid.append([(x, at), (x + self.width, at)])
                self.text(x - 0.05, at, word, ha="right", va="center", size=8)
        inches = self.figure.dpi_scale_trans
        self.figure.add_artist(LineCollection(grid, colors=GRID, linewidths=0.6, transform=inches, zorder=-1))
        if which == "x":
            self.line([x, x + self.width], [y, y], color=SOFT, linewidth=0.8)
            half = LETTER * max(map(len, self.axis), default=0) / 2  # under the axes' middle, unless it were cut there
            at = max(0.05 + half, min(x + self.width / 2, WIDTH - 0.05 - half))
            self.text(at, y - 0.05 - LINE * 1.15, "\n".join(self.axis), ha="center", va="top")
        else:
            self.line([x, x], [y, y + self.height], color=SOFT, linewidth=0.8)
            self.text(0.09, y + self.height / 2, "\n".join(self.up), ha="left", va="center", rotation=90)

    def names(self, labels: Sequence[str], heights: Sequence[float]) -> list[float]:
        """Labels left of the axes, from the top down, each in its height (inches); their places, the y axis' units."""
        places, below = [], 0.0
        for label, height in zip(labels, heights, strict=True):
            places.append(below + height / 2)
            below += height
            self.text(self.left - 0.08, self.bottom + self.height - places[-1], label, ha="right", va="center", size=8)
        self.axes.set_ylim(self.height, 0)
        return places


def _longest(label: str) -> int:
    return max(map(len, label.split("\n")))


def _height(label: str) -> float:
    return 0.03 + LINE * (label.count("\n") + 1)


def _tick_words(ticks: Sequence[float], signed: bool) -> list[str]:
    """Ticks as numbers with as many decimals as their distance asks for."""
    if not ticks:
        return []
    largest = max(map(abs, ticks))
    if largest < 1e-3 or largest >= 1e7:
        return [f"{tick:g}".replace("-", "−") for tick in ticks]
    steps = [b - a for a, b in pairwise(ticks)] or [largest]
    if max(steps) > 1.5 * min(steps):  # logarithmic
        return [f"{tick:,.0f}" if tick >= 1000 else f"{tick:.6f}".rstrip("0").rstrip(".") for tick in ticks]
    decimals = next((d for d in range(9) if all(abs(tick - round(tick, d)) < 1e-6 * steps[0] for tick in ticks)), 9)
    return [f"{tick:{'+' if signed and tick else ''},.{decimals}f}".replace("-", "−") for tick in ticks]


def _left(labels: Iterable[str]) -> float:
    return 0.2 + 0.066 * max(map(_longest, labels))


def _ends(estimate: Estimate) -> list[float]:
    return [end for end in (estimate.low, estimate.mean, estimate.high) if end is not None]


def _whiskers(estimate: Estimate) -> tuple[float, float] | None:
    return None if estimate.low is None or estimate.high is None else (estimate.low, estimate.high)


def _dots(
    title: str,
    entries: Sequence[tuple[str, Estimate, Sign]],
    axis: str,
    line: float | None,
    signed: bool = False,
    legend: Sequence[Sign] = (),
) -> Figure:
    """Dot and whisker, one row per entry from the top down: its label in lines, the estimate, how it is drawn."""
    labels = [label for label, *_ in entries]
    heights = [0.07 + _height(label) for label in labels]
    canvas = Canvas(title, sum(heights), _left(labels), axis, legend=legend)
    places = canvas.names(labels, heights)
    ends = [end for _, estimate, _ in entries for end in _ends(estimate)]
    canvas.scale("x", ends if line is None else [*ends, line], signed=signed)
    if line is not None:
        canvas.plot([line, line], [0, sum(heights)], color=SOFT, linewidth=1.1, linestyle=(0, (4, 2)))
    segments, colours = [], []
    for place, (_, estimate, sign) in zip(places, entries, strict=True):
        if (ends_of := _whiskers(estimate)) is not None:
            segments.append([(ends_of[0], place), (ends_of[1], place)])
            colours.append(sign.colour)
        canvas.plot([estimate.mean], [place], marker=sign.marker, color=sign.colour, markersize=5, linestyle="none")
    canvas.segments(segments, colours, linewidths=1.6)
    return canvas.figure


def _by_delta(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.delta_m.mean if _finite(row.delta_m) and row.delta_m else math.inf)


def _finite(estimate: Estimate | None) -> bool:
    return estimate is not None and math.isfinite(estimate.mean)


def _delta_m(comparison: Comparison, names: Names) -> Figure | None:
    """Δm of every setting but the trivial predictor, whose distance would squeeze all others into a corner."""
    shown = [(row, row.delta_m) for row in _by_delta(comparison.rows) if not row.trivial]
    entries = [
        (names.lines(row.label), delta, _verdict_sign(comparison, row))
        for row, delta in shown
        if delta is not None and math.isfinite(delta.mean)
    ]
    if not entries:
        return None
    axis = f"Δm, percent of {names.lines(comparison.baseline, 30, 1)} (← better)"
    title = f"Δm: how much worse than the baseline, mean over tasks{names.note}"
    return _dots(title, entries, axis, 0.0, True, _verdicts(entries))


def _verdict_sign(comparison: Comparison, row: Row) -> Sign:
    """How a row is drawn by its verdict against the reference."""
    if row.label == comparison.reference:
        return Sign("reference", INK, "P")
    if row.against is None:
        return Sign("no verdict", INK, "o")
    return {
        "better": Sign("better", PALETTE[0], "o"),
        "worse": Sign("worse", PALETTE[1], "X"),
        "equivalent": Sign(f"equivalent within {comparison.margin:g} %", INK, "D"),
        "undecided": Sign("undecided", SOFT, "s"),
    }[row.against.verdict]


def _verdicts(entries: Sequence[tuple[str, Estimate, Sign]]) -> list[Sign]:
    return sorted({sign for _, _, sign in entries}, key=lambda sign: sign.name)


def _interval(comparison: Comparison, column: TaskColumn, names: Names) -> Figure | None:
    """A task's figure by setting; the trivial predictor's stands in the title, as it would squeeze all others."""
    rows = [row for row in _by_delta(comparison.rows) if _finite(row.figures.get(column.task))]
    trivial = [row for row in rows if row.trivial]
    rows = [row for row in rows if not row.trivial]
    if not rows:
        return None
    title = f"{column.task}{names.note}"
    if trivial:
        title += f" ({names.lines(trivial[0].label, 30, 1)}: {number(trivial[0].figures[column.task].mean, 3)})"
    baseline = next((row for row in rows if row.label == comparison.baseline), None)
    line = baseline.figures[column.task].mean if baseline else None
    entries = [(names.lines(row.label), row.figures[column.task], _verdict_sign(comparison, row)) for row in rows]
    arrow = "higher is better →" if column.higher else "← lower is better"
    unit = f" ({column.unit})" if column.unit else ""
    return _dots(title, entries, f"{column.metric}{unit}, {comparison.split}, {arrow}", line, False, _verdicts(entries))


def _effects(comparison: Comparison) -> Figure | None:
    if not comparison.effects:
        return None
    signs = (
        Sign("first better", PALETTE[0], "o"),
        Sign("first worse", PALETTE[1], "X"),
        Sign("Holm p above 0.05", SOFT, "s"),
    )
    entries = []
    for effect in comparison.effects:
        label = "\n".join(wrap(f"{effect.factor}: {effect.level} − {effect.against}", 30, 4, "")[0])
        sign = signs[2] if effect.p_holm > 0.05 else signs[effect.estimate.mean >= 0]
        entries.append((label, effect.estimate, sign))
    axis = "first − second, difference of Δm in percent (← first better)"
    return _dots("Effects on Δm, paired by seed", entries, axis, 0.0, True, _verdicts(entries))


def _front(comparison: Comparison, one: TaskColumn, other: TaskColumn, names: Names) -> Figure | None:
    """Two tasks against each other, with intervals; ringed: not dominated by another setting in these two tasks."""
    rows = [
        row
        for row in comparison.rows
        if not row.trivial and _finite(row.figures.get(one.task)) and _finite(row.figures.get(other.task))
    ]
    if len(rows) < 2:
        return None
    losses = {
        row.label: tuple(row.figures[c.task].mean * (-1 if c.higher else 1) for c in (one, other)) for row in rows
    }

    def dominated(mine: tuple[float, ...]) -> bool:
        return any(
            theirs != mine and all(a <= b for a, b in zip(theirs, mine, strict=True)) for theirs in losses.values()
        )

    free = sorted((row for row in rows if not dominated(losses[row.label])), key=lambda row: row.figures[one.task].mean)
    title = f"{one.task} and {other.task} (ringed: not dominated){names.note}"
    x_name, y_name = (f"{column.task}: {direction(column)}" for column in (one, other))
    canvas = Canvas(title, 2.7, 0.78, x_name, y_name, legend=[names.sign(row.label, line=False) for row in rows])
    canvas.scale("x", [end for row in rows for end in _ends(row.figures[one.task])], margin=0.07)
    canvas.scale("y", [end for row in rows for end in _ends(row.figures[other.task])], margin=0.07)
    across = [row.figures[one.task].mean for row in free]
    up = [row.figures[other.task].mean for row in free]
    canvas.plot(
        across,
        up,
        color=SOFT,
        linewidth=0.9,
        linestyle=(0, (2, 2)),
        marker="o",
        markersize=11,
        markerfacecolor="none",
        markeredgecolor=INK,
        markeredgewidth=0.9,
    )
    segments, colours = [], []
    for row in rows:
        x, y, colour = row.figures[one.task], row.figures[other.task], names.colour(row.label)
        if (ends_of := _whiskers(x)) is not None:
            segments.append([(ends_of[0], y.mean), (ends_of[1], y.mean)])
            colours.append(colour)
        if (ends_of := _whiskers(y)) is not None:
            segments.append([(x.mean, ends_of[0]), (x.mean, ends_of[1])])
            colours.append(colour)
        canvas.plot([x.mean], [y.mean], marker=names.marker(row.label), color=colour, markersize=6, linestyle="none")
    canvas.segments(segments, colours, linewidths=0.9, alpha=0.6)
    return canvas.figure


def _lines(comparison: Comparison, group: Sequence[Series], names: Names, settings: int) -> Figure:
    """Mean and band over seeds, of every setting that has the figure; the title says where those are not all."""
    first = group[0]
    column = next((column for column in comparison.columns if column.task == first.task), None)
    known = column if column and column.metric == first.metric else None
    figure = direction(known) if known else first.metric
    title, axis = {
        "curve": (f"{first.task} while training", f"{figure}, val"),
        "weight": (f"Weight of {first.task}'s loss", "weight (no unit)"),
        "rate": ("Learning rate" + (f": {first.task}" if first.task else ""), "learning rate (no unit)"),
        "cosine": (f"Cosine of gradients: {first.task} and {first.metric}", "cosine (below 0: conflict)"),
        "trend": (f"{first.task} over {first.key}", f"{figure}, {comparison.split}"),
    }[first.what]
    if first.what != "trend" and len(group) < settings:  # a trend's line is of several settings
        title += f", {len(group)} of {settings} settings"
    seeds = {series.n for series in group}
    title += f" (mean, 95 % band, {min(seeds)}{f'–{max(seeds)}' if len(seeds) > 1 else ''} seeds)"
    over = {"step": "training step", "data.train_rows": "training rows"}.get(first.key, first.key)
    canvas = Canvas(title, 2.3, 0.78, over, axis, legend=[names.sign(series.label) for series in group])
    means = [value for series in group for value in series.mean if math.isfinite(value)]
    every = [*means, *(value for series in group for band in (series.low, series.high) for value in band)]
    far = bool(means) and min(means) > 0 and max(means) > 20 * min(means)
    canvas.scale("y", [*every, 0.0] if first.what == "cosine" else every, log=first.what in ("rate", "weight") and far)
    places = [float(x) for series in group for x in series.x]
    decades = first.what == "trend" and min(places) > 0 and max(places) > 20 * min(places)
    canvas.scale("x", places, log=decades, margin=0.02)
    if first.what == "cosine":
        canvas.plot([min(places), max(places)], [0, 0], color=SOFT, linewidth=1.1, linestyle=(0, (4, 2)))
    for series in group:
        sign = names.sign(series.label)
        band = [*zip(series.x, series.low, strict=True), *reversed([*zip(series.x, series.high, strict=True)])]
        canvas.axes.add_patch(Polygon(band, facecolor=sign.colour, alpha=0.15, linewidth=0))
        canvas.plot(
            series.x,
            series.mean,
            color=sign.colour,
            linestyle=sign.dashes,
            markersize=4,
            marker=sign.marker,
            markevery=max(1, len(series.x) // 6),
        )
    return canvas.figure


Bar = tuple[Estimate, str]


def _bars(
    title: str,
    groups: Sequence[tuple[str, Sequence[Bar]]],
    axis: str,
    legend: Sequence[Sign],
    line: float | None = None,
) -> Figure:
    """Horizontal bars, groups from the top down; within a group (estimate, colour) by setting."""
    labels = [label for label, _ in groups]
    thick = 0.1 if max(len(bars) for _, bars in groups) > 2 else 0.14
    heights = [max(0.06 + _height(label), 0.1 + thick * len(bars)) for label, bars in groups]
    canvas = Canvas(title, sum(heights), _left(labels), axis, legend=legend if len(legend) > 1 else ())
    ends = [end for _, bars in groups for estimate, _ in bars for end in _ends(estimate)]
    canvas.scale("x", [0.0, *ends])
    segments = []
    for middle, (_, bars) in zip(canvas.names(labels, heights), groups, strict=True):
        for i, (estimate, colour) in enumerate(bars):
            place = middle + (i - (len(bars) - 1) / 2) * thick
            canvas.axes.add_patch(
                Rectangle((0, place - 0.43 * thick), estimate.mean, 0.86 * thick, facecolor=colour, linewidth=0)
            )
            if (ends_of := _whiskers(estimate)) is not None:
                segments.append([(ends_of[0], place), (ends_of[1], place)])
    canvas.segments(segments, [INK] * len(segments), linewidths=0.9)
    if line is not None:
        canvas.plot([line, line], [0, sum(heights)], color=SOFT, linewidth=1.1, linestyle=(0, (4, 2)))
    return canvas.figure


def _importance(comparison: Comparison, task: str, names: Names) -> Figure | None:
    """At most 15 inputs, the largest mean over settings first, and 6 settings; the title says if there are more."""
    entries = [entry for entry in comparison.importances if entry.task == task and _finite(entry.estimate)]
    if not entries:
        return None
    settings = list(dict.fromkeys(entry.label for entry in entries))
    shown = settings[:6]
    sizes: dict[str, list[float]] = {}
    for entry in entries:
        sizes.setdefault(entry.input, []).append(entry.estimate.mean)
    inputs = sorted(sizes, key=lambda name: -sum(sizes[name]) / len(sizes[name]))
    found = {(entry.input, entry.label): entry.estimate for entry in entries}
    groups = []
    for name in inputs[:15]:
        bars = [(found[name, label], names.colour(label)) for label in shown if (name, label) in found]
        if bars:
            groups.append(("\n".join(wrap(name, 26, 2, "")[0]), bars))
    column = next((column for column in comparison.columns if column.task == task), None)
    what = f"{column.metric}{f' ({column.unit})' if column.unit else ''}" if column else "figure"
    limits = ((inputs, 15, "inputs"), (settings, 6, "settings"))
    left = [f"{most} of {len(every)} {word}" for every, most, word in limits if len(every) > most]
    title = f"What {task} is learnt from" + (f" ({', '.join(left)})" if left else "")
    signs = [Sign(names.lines(label, 34), names.colour(label), "s") for label in shown]
    return _bars(title, groups, f"{what}: how much worse when the input is permuted", signs)


def _cost(comparison: Comparison, names: Names) -> Figure | None:
    groups = [
        (names.lines(row.label), [(Estimate(row.cost.relative, None, None, {}), PALETTE[0])])
        for row in comparison.rows
        if row.cost is not None and row.cost.relative is not None
    ]
    if not groups:
        return None
    axis = "multiple of the plain sum's time per step (← cheaper)"
    return _bars(f"Time per training step{names.note}", groups, axis, (), 1.0)


def _expected(comparison: Comparison, names: Names) -> Figure | None:
    shown = {label: values for label, values in comparison.expected_best.items() if len(values) > 1}
    if not shown:
        return None
    title = "What choosing among n trials can be expected to reach"
    up = "expected skill on val (no unit) ↑"
    canvas = Canvas(title, 2.3, 0.78, "trials", up, legend=[names.sign(label) for label in shown])
    canvas.scale("x", [1, max(map(len, shown.values()))], integer=True)
    canvas.scale("y", [value for values in shown.values() for value in values])
    for label, values in shown.items():
        sign = names.sign(label)
        canvas.plot(
            range(1, len(values) + 1),
            values,
            color=sign.colour,
            linestyle=sign.dashes,
            marker=sign.marker,
            markersize=4,
            markevery=max(1, len(values) // 8),
        )
    return canvas.figure


def _shares(comparison: Comparison, label: str, level: str, seed: int | None, names: Names) -> Figure | None:
    """Who reads what with what share, of one setting and level; the means over seeds, or one seed's."""
    own = [share for share in comparison.shares if (share.label, share.level, share.seed) == (label, level, seed)]
    rows, columns = (list(dict.fromkeys(found)) for found in zip(*((s.reader, s.read) for s in own), strict=True))
    columns.sort(key=lambda read: ":" in read)  # what all read, then what is one task's; else in order
    values = {(share.reader, share.read): share.estimate for share in own}
    kind = "Stitches" if own[0].signed else "Gates"
    one = "" if seed is None else f", seed {seed} only"
    title = f"{kind}{f', {level}' * bool(level)}{one}: {names.lines(label).replace(chr(10), ' ')}"
    return _matrix(
        title,
        (rows, columns),
        values,
        own[0].signed,
        ("who reads", "whose features" if own[0].signed else "experts"),
        from_zero=True,
    )


def _matrix(
    title: str,
    names: tuple[Sequence[str], Sequence[str]],
    values: Mapping[tuple[str, str], Estimate],
    signed: bool,
    axes: tuple[str, str],
    from_zero: bool,
) -> Figure | None:
    """Rows by columns: the number with half its interval in each cell; blue is high, orange low, white zero, or the
    lowest where it is not `from_zero`.

    `names` are those of the rows and of the columns, `axes` what they are.
    """
    found = {pair: estimate for pair, estimate in values.items() if _finite(estimate)}
    if not found:
        return None
    rows, columns = names
    n = len(columns)
    beside = ["\n".join(wrap(row, 16, 4 if len(rows) <= 4 else 2, "")[0]) for row in rows]
    below = ["\n".join(wrap(column, 16, 4 if n <= 4 else 2, "")[0]) for column in columns]
    left = _left(beside) + 0.2
    turned = n > 4  # names below each other instead of beside
    bottom = 0.3 + (0.066 * max(map(_longest, below)) if turned else max(map(_height, below)))
    canvas = Canvas(title, len(rows) * max(0.4, min(0.8, (WIDTH - left - 0.2) / n)), left, below=bottom)
    side, height = canvas.width / n, canvas.height / len(rows)
    canvas.axes.set_xlim(0, n)
    canvas.names(beside, [height] * len(rows))
    largest = max(abs(estimate.mean) for estimate in found.values()) or 1.0
    smallest = 0.0 if from_zero else min(estimate.mean for estimate in found.values())
    for j, name in enumerate(below):
        x = canvas.left + (j + 0.5) * side
        canvas.text(x, canvas.bottom - 0.06, name, ha="center", va="top", size=8, rotation=90 if turned else 0)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            x, y = canvas.left + (j + 0.5) * side, canvas.bottom + canvas.height - (i + 0.5) * height
            estimate = found.get((row, column))
            if estimate is None:
                canvas.text(x, y, "·", ha="center", va="center", color=SOFT)
                continue
            share = (estimate.mean - smallest) / ((largest - smallest) or 1.0)
            canvas.axes.add_patch(
                Rectangle((j, i * height), 1, height, facecolor=_shade(share), edgecolor=GRID, linewidth=0.6)
            )
            text = with_interval(estimate, signed=signed).replace(" ± ", "\n±").replace(" [", "\n[")
            canvas.text(x, y, text, ha="center", va="center", size=8 if n < 7 else 5.6, color="#101010")
    canvas.text(canvas.left + canvas.width / 2, 0.06, axes[1], ha="center", va="bottom")
    canvas.text(0.09, canvas.bottom + canvas.height / 2, axes[0], ha="left", va="center", rotation=90)
    return canvas.figure


def _shade(share: float) -> str:
    """From orange (−1) over near-white (0) to blue (1), light enough for dark text."""
    ends = (0x5A, 0xAE, 0xE2) if share >= 0 else (0xF0, 0xA0, 0x50)
    depth = min(1.0, abs(share))
    return "#" + "".join(f"{round(0xF6 + (end - 0xF6) * depth):02x}" for end in ends)
