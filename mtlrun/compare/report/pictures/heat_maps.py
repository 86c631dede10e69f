"""Heat maps: which tasks help each other, and which task reads which features or experts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mtlrun.compare.records import Comparison, Estimate, Share
from mtlrun.compare.report.pictures.canvas import WIDTH, chart, named_rows
from mtlrun.compare.report.pictures.style import (
    GRID,
    LETTER,
    LINE,
    SOFT,
    Names,
    in_lines,
    is_finite,
    label_height,
    longest_line,
)
from mtlrun.compare.report.rounding import with_interval

MOST_SHARES = 6  # largest number of settings whose gates or stitches are drawn
Values = Mapping[tuple[str, str], Estimate]  # (row, column) -> estimate


def affinity(comparison: Comparison, names: Names) -> Iterator[tuple[str, Figure]]:
    """Gains, cosines and distances for all pairs of tasks."""
    known = comparison.affinity
    if known is None or len(known.tasks) < 2:
        return
    tasks, axes = known.tasks, ("task", "trained with (task)")
    for name, title, values, signed in (
        ("gain", "Gain in percent of the task alone (positive: better)", known.gains, True),
        ("cosine", "Cosine of the tasks' gradients", known.cosines, True),
        ("distance", "Distance of the parameters of the single-task trunks", known.distances, False),
    ):
        finite = _finite(values)
        if finite:
            lowest = 0.0 if signed else min(estimate.mean for estimate in finite.values())
            yield f"affinity_{name}", _heat_map(title, HeatMap(tasks, tasks, axes, finite, signed, lowest))


def shares(comparison: Comparison, names: Names) -> Iterator[tuple[str, Figure]]:
    """The shares with which readers read: a picture per setting and level, with means over seeds or one seed."""
    groups: dict[str, dict[tuple[str, int | None], list[Share]]] = {}
    for share in comparison.shares:
        groups.setdefault(share.label, {}).setdefault((share.level, share.seed), []).append(share)
    for label in list(groups)[:MOST_SHARES]:
        for (level, seed), group in groups[label].items():
            finite = _finite({(share.reader, share.read): share.estimate for share in group})
            if finite:
                name = f"shares_{label}_{level}" + (f"_seed_{seed}" if seed is not None else "")
                yield name, _shares(group, finite, names)


def _shares(group: Sequence[Share], values: Values, names: Names) -> Figure:
    """The shares of one setting and level."""
    first = group[0]
    readers = list(dict.fromkeys(share.reader for share in group))
    read = list(dict.fromkeys(share.read for share in group))
    read.sort(key=lambda name: ":" in name)  # first what all tasks read, then what a single task reads
    kind, what = ("Stitches", "whose features") if first.signed else ("Gates", "experts")
    level = f", {first.level}" if first.level else ""
    seed = "" if first.seed is None else f", seed {first.seed} only"
    label = names.lines(first.label).replace("\n", " ")
    axes = ("who reads", what)
    return _heat_map(f"{kind}{level}{seed}: {label}", HeatMap(readers, read, axes, values, first.signed))


def _finite(values: Values) -> Values:
    return {pair: estimate for pair, estimate in values.items() if is_finite(estimate)}


# ---------------------------------------------------------------- heat maps


@dataclass(frozen=True)
class HeatMap:
    """Figures by rows and columns.

    axes: the meaning of rows and columns. signed: positive figures have a plus. white: the value shown in white.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    axes: tuple[str, str]
    values: Values
    signed: bool
    white: float = 0.0

    def shade(self, value: float) -> str:
        """The colour of a value: from orange (low) over near-white to blue (high), light enough for dark text."""
        largest = max(abs(estimate.mean) for estimate in self.values.values()) or 1.0
        share = (value - self.white) / ((largest - self.white) or 1.0)
        ends = (0x5A, 0xAE, 0xE2) if share >= 0 else (0xF0, 0xA0, 0x50)
        depth = min(1.0, abs(share))
        return "#" + "".join(f"{round(0xF6 + (end - 0xF6) * depth):02x}" for end in ends)


def _heat_map(title: str, shown: HeatMap) -> Figure:
    """A figure with coloured cells. Each cell has the number and half the width of its interval."""
    n = len(shown.columns)
    beside, below = (_in_lines(names) for names in (shown.rows, shown.columns))
    turned = n > 4  # column names are rotated
    names = LETTER * max(map(longest_line, below)) if turned else max(map(label_height, below)) - LINE
    side = (WIDTH - 0.8 - LETTER * max(map(longest_line, beside))) / n  # about the width of a cell
    height = len(beside) * max(0.4, min(0.8, side))
    figure, axes = chart(title, height + names, shown.axes[1], shown.axes[0])
    axes.grid(visible=False)
    axes.set_xlim(0, n)
    axes.set_xticks([j + 0.5 for j in range(n)], below, rotation=90 if turned else 0)
    for i, (row, y) in enumerate(zip(shown.rows, named_rows(axes, beside, [1.0] * len(beside)), strict=True)):
        for j, column in enumerate(shown.columns):
            estimate = shown.values.get((row, column))
            if estimate is None:
                axes.text(j + 0.5, y, "·", ha="center", va="center", color=SOFT)
                continue
            colour = shown.shade(estimate.mean)
            axes.add_patch(Rectangle((j, i), 1, 1, facecolor=colour, edgecolor=GRID, linewidth=0.6))
            text = with_interval(estimate, signed=shown.signed).replace(" ± ", "\n±").replace(" [", "\n[")
            size = 8 if n < 7 else 5.6
            axes.text(j + 0.5, y, text, ha="center", va="center", size=size, color="#101010")
    return figure


def _in_lines(names: Sequence[str]) -> list[str]:
    return [in_lines(name, 16, 4 if len(names) <= 4 else 2) for name in names]
