"""The table above the bar of a sweep in training: a row for each setting, with the means so far over its seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from mtlrun.config.schema import Config
from mtlrun.storage.results_table import primary_metric
from mtlrun.storage.sweep_folder import SEEDS, without_seed
from mtlrun.tasks import higher_is_better
from mtlrun.util.terminal import printable

if TYPE_CHECKING:
    from rich.console import Group

SCORE = "skill"  # the only score of a checkpoint that settings with other losses share
BESIDE = 6  # lines of a terminal beside the rows: two of headings, two of notes, the bar, the cursor
NARROWEST, LABEL, TASK = 12, 40, 16  # letters of a label, and of the name of a task


@dataclass
class _Setting:
    """A setting. runs: in all; failed, done: that have ended; figures: of the completed runs, by column."""

    label: str
    runs: int = 0
    failed: int = 0
    done: int = 0
    figures: dict[str, list[float]] = field(default_factory=dict)

    def mean(self, column: str) -> float | None:
        """The mean so far; None before the first run has ended."""
        values = self.figures.get(column)
        return fmean(values) if values else None


class LiveTable:
    """Shows the settings of a sweep while it trains.

    plan: the runs of the sweep; configs: those of the runs that train now, for the tasks and their metrics
    """

    def __init__(self, plan: Sequence[Mapping[str, Any]], configs: Sequence[Config]) -> None:
        tasks = {name: task for config in configs for name, task in config.active.items() if task.role == "main"}
        self._tasks = {name: task.primary_metric for name, task in tasks.items()}
        self._of_run: list[_Setting] = []
        self._better: dict[str, bool] = {}  # column -> whether higher is better, the score first
        self._failure = ""
        settings: dict[frozenset[tuple[str, str]], _Setting] = {}
        for job in plan:
            key = frozenset((k, str(v)) for k, v in job["overrides"].items() if k not in SEEDS)
            label = without_seed(job["run"])
            label = "all seeds" if label == job["run"] else label
            self._of_run.append(settings.setdefault(key, _Setting(label)))
            self._of_run[-1].runs += 1
        self._settings = list(settings.values())

    def ended(self, number: int, summary: Mapping[str, Any] | None) -> None:
        """Records a run that has ended. summary: None if its folder cannot be written."""
        setting = self._of_run[number]
        if summary is None or summary.get("status") != "completed":
            setting.failed += 1
            self._failure = f"run {number + 1}: {(summary or {}).get('error') or 'failed'}"
            return
        setting.done += 1
        best, figures = summary.get("best") or {}, summary.get("figures") or {}
        if best.get("by") == SCORE:
            self._record(setting, f"{SCORE}\nval ↑", best["value"], True)
        for task, primary in self._tasks.items():
            for split in ("test", "val"):  # runs without test rows have figures on val
                metric = primary_metric(figures, split, task, primary)
                if metric is not None:
                    name = f"{task}\n{metric} {'↑' if higher_is_better(metric) else '↓'}"
                    self._record(setting, name, figures[f"{split}/{task}/{metric}"], higher_is_better(metric))
                    break

    def _record(self, setting: _Setting, column: str, value: float, higher: bool) -> None:
        self._better[column] = higher
        setting.figures.setdefault(column, []).append(value)

    def table(self, width: int, height: int) -> "Group":
        """The table and a line of notes, at most `width` columns and `height` lines. The best mean of a column is bold.

        If not all settings fit, the best so far are shown.
        """
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        rows = self._rows(max(1, height - BESIDE))
        label = min(max(len(setting.label) for setting in rows), LABEL, max(NARROWEST, width // 2))
        columns = self._fitting(width - label - len("  runs  failed  "))
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="none")
        failed = any(setting.failed for setting in self._settings)
        for heading in ["setting", "runs", *columns, *(["failed"] if failed else [])]:
            side: Literal["left", "right"] = "left" if heading == "setting" else "right"
            table.add_column(Text(_heading(heading)), justify=side, vertical="bottom", no_wrap=True)
        best = {column: self._best(column) for column in columns}
        for setting in rows:
            cells = [
                Text(_cut(printable(setting.label), label)),
                Text(f"{setting.done + setting.failed}/{setting.runs}"),
            ]
            for column in columns:
                mean = setting.mean(column)
                cells.append(Text("" if mean is None else f"{mean:.4g}", "bold" if mean == best[column] else ""))
            table.add_row(*cells, *([Text(str(setting.failed or ""), "red")] if failed else []))
        notes = [f"and {count} more settings" for count in [len(self._settings) - len(rows)] if count]
        notes += [f"and {count} more tasks" for count in [len(self._better) - len(columns)] if count]
        notes += [f"last failure: {self._failure}"] if self._failure else []
        return Group(table, *(Text(_cut(printable("; ".join(found)), width)) for found in [notes] if found))

    def _rows(self, most: int) -> list[_Setting]:
        """The settings in the order of the plan, or the best of them if there are more than `most`."""
        if len(self._settings) <= most:
            return self._settings
        column = next(iter(self._ordered()), None)
        if column is None:
            return self._settings[:most]
        sign = -1 if self._better[column] else 1
        means = [(setting, setting.mean(column)) for setting in self._settings]
        ordered = sorted(means, key=lambda pair: (pair[1] is None, sign * (pair[1] or 0.0)))
        return [setting for setting, _ in ordered[:most]]

    def _ordered(self) -> list[str]:
        """The columns: the score, then the tasks in their order."""
        return sorted(self._better, key=lambda name: not name.startswith(f"{SCORE}\n"))

    def _fitting(self, width: int) -> list[str]:
        """The first columns that fit into a width; one at least."""
        columns: list[str] = []
        for name in self._ordered():
            width -= max(*map(len, _heading(name).split("\n")), len("0.12345")) + 2
            if columns and width < 0:
                break
            columns.append(name)
        return columns

    def _best(self, column: str) -> float | None:
        means = [mean for setting in self._settings if (mean := setting.mean(column)) is not None]
        return (max if self._better[column] else min)(means) if means else None


def _heading(column: str) -> str:
    """The heading of a column, in two lines of at most `TASK` letters."""
    return "\n".join(_cut(printable(line), TASK) for line in column.split("\n"))


def _cut(text: str, width: int) -> str:
    """A text of at most `width` letters, cut in the middle: what settings differ in often stands at the end."""
    tail = (width - 1) // 2
    return text if len(text) <= width else f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"
