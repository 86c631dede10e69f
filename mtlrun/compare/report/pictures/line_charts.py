"""Figures over training steps, over another number, or over trials, as lines with bands."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtlrun.compare.records import Comparison, Series
from mtlrun.compare.report.pictures.canvas import DASHED, chart, numbers
from mtlrun.compare.report.pictures.style import Names, Sign
from mtlrun.compare.report.result_table import direction

HEIGHT = 2.3  # inches, of the axes
FAR = 20  # from this ratio of the largest to the smallest value on, an axis is logarithmic
KEYS = {"step": "training step", "data.train_rows": "training rows"}  # names of keys in pictures


@dataclass(frozen=True)
class SeriesKind:
    """How a kind of series is drawn.

    title, axis, file: the title, the name of the y axis, and the end of the file name; templates filled by `_words`
    settings: each line is one setting, so that the title says if some settings have no line
    log_x, log_y: the axis is logarithmic if its values are far apart
    zero: draw a dashed line at 0
    """

    title: str
    axis: str
    file: str = ""
    settings: bool = True
    log_x: bool = False
    log_y: bool = False
    zero: bool = False


KINDS: Mapping[str, SeriesKind] = {
    "curve": SeriesKind("{task} while training", "{figure}, val"),
    "weight": SeriesKind("Weight of {task}'s loss", "weight (no unit)", log_y=True),
    "sigma": SeriesKind("Learnt noise of {task}", "sigma (unit of the target)", log_y=True),
    "rate": SeriesKind("Learning rate{of_task}", "learning rate (no unit)", log_y=True),
    "cosine": SeriesKind(
        "Cosine of gradients: {task} and {metric}", "cosine (below 0: conflict)", file="_{metric}", zero=True
    ),
    "trend": SeriesKind("{task} over {key}", "{figure}, {split}", file="_{key}", settings=False, log_x=True),
}


def series(comparison: Comparison, names: Names) -> Iterator[tuple[str, Figure]]:
    """A picture for each figure of a task, with a line for each setting that has the figure."""
    for what, kind in KINDS.items():
        groups: dict[tuple[str, str, str], list[Series]] = {}
        for one in comparison.series:
            if one.what == what and len(one.x):
                groups.setdefault((one.task, one.metric, one.key), []).append(one)
        for group in groups.values():
            words = _words(comparison, group[0])
            yield f"{what}_{group[0].task}{kind.file.format(**words)}", _series(kind, words, group, names)


def _words(comparison: Comparison, series: Series) -> dict[str, str]:
    """The words that fill the templates of a `SeriesKind`."""
    column = next((column for column in comparison.columns if column.task == series.task), None)
    return {
        "task": series.task,
        "of_task": f": {series.task}" if series.task else "",
        "metric": series.metric,
        "figure": direction(column) if column and column.metric == series.metric else series.metric,
        "key": series.key,
        "split": comparison.split,
    }


def _series(kind: SeriesKind, words: Mapping[str, str], group: Sequence[Series], names: Names) -> Figure:
    """Mean and band over seeds for every setting that has the figure."""
    signs = [names.sign(one.label) for one in group]
    over = KEYS.get(words["key"], words["key"])
    figure, axes = chart(_title(kind, words, group, names), HEIGHT, over, kind.axis.format(**words), legend=signs)
    if kind.zero:
        axes.axhline(0, **DASHED)
    for one, sign in zip(group, signs, strict=True):
        axes.fill_between(one.x, one.low, one.high, color=sign.colour, alpha=0.15, linewidth=0)
        _line(axes, one.x, one.mean, sign, len(one.x) // 6)
    log_x = kind.log_x and _far_apart([float(x) for one in group for x in one.x])
    log_y = kind.log_y and _far_apart([value for one in group for value in one.mean if math.isfinite(value)])
    axes.set_xscale("log" if log_x else "linear")
    axes.set_yscale("log" if log_y else "linear")
    numbers(axes.xaxis, log_x)
    numbers(axes.yaxis, log_y)
    return figure


def _title(kind: SeriesKind, words: Mapping[str, str], group: Sequence[Series], names: Names) -> str:
    """The title: the figure, the number of settings if some are missing, and the number of seeds."""
    title = kind.title.format(**words)
    if kind.settings and len(group) < names.settings:
        title += f", {len(group)} of {names.settings} settings"
    seeds = sorted({one.n for one in group})
    return f"{title} (mean, 95 % band, {'–'.join(map(str, dict.fromkeys([seeds[0], seeds[-1]])))} seeds)"


def expected(comparison: Comparison, names: Names) -> Iterator[tuple[str, Figure]]:
    """A picture of the expected best val skill by number of trials."""
    shown = {label: values for label, values in comparison.expected_best.items() if len(values) > 1}
    if not shown:
        return
    signs = {label: names.sign(label) for label in shown}
    title, up = "What choosing among n trials can be expected to reach", "expected skill on val (no unit) ↑"
    figure, axes = chart(title, HEIGHT, "trials", up, legend=[*signs.values()])
    for label, values in shown.items():
        _line(axes, range(1, len(values) + 1), values, signs[label], len(values) // 8)
    numbers(axes.xaxis, integer=True)
    numbers(axes.yaxis)
    yield "expected", figure


def _line(axes: Axes, x: Sequence[float], y: Sequence[float], sign: Sign, every: int) -> None:
    """Draws the line of a setting, with a marker at every `every` points."""
    look = {"color": sign.colour, "linestyle": sign.dashes, "marker": sign.marker}
    axes.plot(x, y, **look, markersize=4, markevery=max(1, every))


def _far_apart(values: Sequence[float]) -> bool:
    return bool(values) and min(values) > 0 and max(values) > FAR * min(values)
