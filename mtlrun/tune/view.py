"""What a search shows while it trains: how far it is, and the best setting so far for each task beside the default.

On a terminal these are the lines above the bar of the runs in training. Where there is no bar, lines are printed.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mtlrun.compare.records import TaskColumn
from mtlrun.tune.tried import Tried, leading
from mtlrun.tune.tune_words import TuneSettings
from mtlrun.util.errors import counted
from mtlrun.util.terminal import say

MOST_TASKS = 4  # that a line names


@dataclass(frozen=True)
class Progress:
    """How far a search is.

    runs, seconds: so far, without the default's runs; batch, split: those just trained, from 0; alive: the settings of
    the batch that go on; tried: all settings; columns: the main tasks; default: for each split the default's figures
    """

    runs: int
    seconds: float
    batch: int
    split: int
    alive: int
    tried: Sequence[Tried]
    columns: Sequence[TaskColumn] = ()
    default: Sequence[Mapping[str, float]] = ()

    def seconds_left(self, settings: TuneSettings) -> float:
        """The seconds that the search takes at most from now on, if runs take as long as so far."""
        bounds = [] if settings.minutes is None else [60 * settings.minutes - self.seconds]
        if settings.most_runs is not None and self.runs:
            bounds.append((settings.most_runs - self.runs) * self.seconds / self.runs)
        return max(0.0, min(bounds, default=0.0))


@dataclass
class View:
    """Shows the progress of a search.

    bar: whether there is a bar, on a terminal of the machine that trains; above: the text for the lines above it
    """

    settings: TuneSettings
    bar: bool = False
    above: str = field(default="search: the default, to which all settings are compared", init=False)
    _last: Progress | None = field(default=None, init=False)

    def begin(self, batch: int, split: int, settings: int) -> None:
        """Shows that the settings of a batch begin on a split."""
        so_far = [] if self._last is None else [self._clock(self._last), *best_lines(self._last)]
        self.above = "\n".join([f"search: {self._place(batch, split)}, {counted(settings, 'setting')}", *so_far])

    def __call__(self, progress: Progress) -> None:
        """Shows the progress after a split of a batch. The figures of a setting are printed once."""
        if not self.bar:
            place, best = self._place(progress.batch, progress.split), [*best_lines(progress)]
            known = self._last is not None and leading(self._last.tried) == leading(progress.tried)
            goes = "goes" if progress.alive == 1 else "go"
            alive = f"{counted(progress.alive, 'setting')} {goes} on, "
            alive = alive if progress.split + 1 < self.settings.splits else ""
            say("; ".join([f"{place}: {alive}{self._clock(progress)}", *best[: 1 if known else None]]))
        self._last = progress

    def _place(self, batch: int, split: int) -> str:
        return f"batch {batch + 1}, split {split + 1} of {self.settings.splits}"

    def _clock(self, progress: Progress) -> str:
        left = f"{progress.seconds_left(self.settings):.0f} s left at most"
        return f"{counted(progress.runs, 'run')} so far in {progress.seconds:.0f} s, {left}"


def best_lines(progress: Progress) -> Iterator[str]:
    """The best setting so far against the default on val, and its figure for each task with the default's."""
    best = leading(progress.tried)
    if best is None:
        yield "nothing better than the default yet"
        return
    splits = len(best.drops)
    yield f"best so far {-best.mean:.1f} % ahead of the default on val of {counted(splits, 'split')}"
    tasks = []
    for column in progress.columns[:MOST_TASKS]:
        key = f"val/{column.task}/{column.metric}"
        ours, default = ([f[key] for f in side[:splits] if key in f] for side in (best.figures, progress.default))
        if len(ours) == len(default) == splits:
            tasks.append(
                f"{column.task} {column.metric} {sum(ours) / splits:.4g} (default {sum(default) / splits:.4g})"
            )
    if tasks:
        yield ", ".join(tasks)


def on_terminal() -> bool:
    """Whether there is a terminal for a bar."""
    return sys.stderr.isatty() and sys.stdout.isatty()
