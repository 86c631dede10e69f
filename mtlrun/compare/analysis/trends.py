"""Lines over a numeric setting that varies: learning curves over training rows, or over one other key."""

from collections.abc import Sequence
from dataclasses import dataclass

from mtlrun.compare.analysis.setting_result import Criteria, SettingResult
from mtlrun.compare.collect.settings import TRAIN_ROWS, Setting, Words, number
from mtlrun.compare.records import Estimate, Series, TaskColumn
from mtlrun.tasks import metric_bounds

FEWEST = 3  # fewest points of a line


@dataclass(frozen=True)
class Point:
    """A setting at the position `x` on the axis."""

    x: float
    result: SettingResult


def trends(results: Sequence[SettingResult], criteria: Criteria) -> list[Series]:
    """Figures over a numeric key with at least three values, for settings that otherwise agree.

    The key is data.train_rows, or another key if it is the only other numeric one. A setting without data.train_rows is
    at the number of rows that it trains on.
    """
    found = []
    for key in _axes([result.setting for result in results]):
        for label, points in _lines(key, results):
            for column in criteria.columns:
                if (line := _line(key, label, points, column, criteria)) is not None:
                    found.append(line)
    return found


def _axes(settings: Sequence[Setting]) -> list[str]:
    """The keys over which lines are drawn."""
    words = [_with_rows(setting) for setting in settings]
    varied = dict.fromkeys(key for setting in settings for key in setting.values)
    numeric = [key for key in varied if _is_numeric({own[key] for own in words if key in own})]
    others = [key for key in numeric if key != TRAIN_ROWS]
    return [key for key in numeric if key == TRAIN_ROWS or len(others) == 1]


def _is_numeric(values: set[str]) -> bool:
    """Whether there are enough values for a line and all are numbers."""
    return len(values) >= FEWEST and all(number(value) is not None for value in values)


def _with_rows(setting: Setting) -> Words:
    """The words of a setting. If data.train_rows is missing, the number of rows that it trains on is added."""
    rows = {run.rows["train"] for run in setting.members if "train" in run.rows}
    return {TRAIN_ROWS: str(rows.pop()), **setting.words} if len(rows) == 1 else setting.words


def _lines(key: str, results: Sequence[SettingResult]) -> list[tuple[str, list[Point]]]:
    """For each line its label and its points: settings that differ only in this key, in the order of its values."""
    lines: dict[tuple[str, tuple[tuple[str, str], ...]], list[Point]] = {}
    for result in results:
        setting = result.setting
        value = _with_rows(setting).get(key)
        if value is not None and setting.runs:
            rest = tuple(sorted((k, v) for k, v in setting.values.items() if k != key))
            lines.setdefault((setting.kind, rest), []).append(Point(float(value), result))
    return [
        (_label(rest, points[0].result.setting), sorted(points, key=lambda point: point.x))
        for (_, rest), points in lines.items()
        if len(points) >= FEWEST
    ]


def _label(rest: Sequence[tuple[str, str]], setting: Setting) -> str:
    return " ".join(f"{k}={v}" for k, v in rest) or ("together" if setting.multi_task else setting.kind)


def _line(key: str, label: str, points: Sequence[Point], column: TaskColumn, criteria: Criteria) -> Series | None:
    """The figure of one task along the axis; None if too few settings have one."""
    known: list[tuple[float, Estimate]] = []
    for point in points:
        values = {s: own[column.primary] for s, own in point.result.figures.items() if column.primary in own}
        if (estimate := criteria.inference.estimate(values, metric_bounds(column.metric))) is not None:
            known.append((point.x, estimate))
    if len(known) < FEWEST:
        return None
    return Series(
        "trend",
        label,
        column.task,
        column.metric,
        [x for x, _ in known],
        [e.mean for _, e in known],
        [e.mean if e.low is None else e.low for _, e in known],
        [e.mean if e.high is None else e.high for _, e in known],
        min(e.n for _, e in known),
        key,
    )
