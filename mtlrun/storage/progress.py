"""The display of a run or sweep in training: a bar on a terminal, plain lines otherwise."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mtlrun.storage.summary import LENGTH
from mtlrun.storage.training_end import TrainingEnd, closing_words
from mtlrun.tasks import type_of
from mtlrun.util.lazy import LazyModule
from mtlrun.util.terminal import printable, say, shown
from mtlrun.util.text_tables import table_lines

if TYPE_CHECKING:
    import rich.progress as rich
    from torch import Tensor
else:  # loads only if there is a terminal
    rich = LazyModule("rich.progress")

log = logging.getLogger("mtlrun")
REFRESH_STEPS = 50
LINE_SECONDS = 20.0  # between two lines of a sweep without a terminal


@contextmanager
def quiet_console() -> Iterator[None]:
    """Keeps log lines of level INFO off the terminal meanwhile. Log files still get them."""
    handlers = [h for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler)]
    before = [(h, h.level) for h in handlers if not isinstance(h, logging.FileHandler)]
    for handler, _ in before:
        handler.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for handler, level in before:
            handler.setLevel(level)


class Progress:
    """Shows steps and per-task losses of one run. Use it as a context manager around the training.

    before, after: the numbers of steps of the stage before this training and of the stage after it
    """

    def __init__(self, total: int, tasks: Sequence[str]) -> None:
        self.total, self.tasks = total, list(tasks)
        self.before, self.after = 0, 0
        self.bar: Any = None
        self.quiet: AbstractContextManager[None] = nullcontext()

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty() and sys.stdout.isatty():
            self.bar = rich.Progress(
                rich.TextColumn("{task.description}"),
                rich.BarColumn(),
                rich.MofNCompleteColumn(),
                rich.TextColumn("steps"),
                rich.TimeRemainingColumn(),
                transient=True,
            )
            self.row = self.bar.add_task("training", total=self.total)
            self.bar.start()
            self.quiet = quiet_console()  # log lines would break the bar
            self.quiet.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.quiet.__exit__(kind, error, trace)
            self.bar = None

    def step(self, step: int, losses: "Tensor") -> None:
        """Shows the losses `[R, T]` of the first run, every `REFRESH_STEPS` steps."""
        if self.bar is not None and step % REFRESH_STEPS == 0:
            shown = "  ".join(f"{t} {v:.4g}" for t, v in zip(self.tasks, losses[0].tolist(), strict=True))
            self.bar.update(self.row, completed=step, description=shown)

    def show(self, done: int, words: str) -> None:
        """Shows that `done` of `total` steps are done, and describes the work by `words`."""
        if self.bar is not None:
            self.bar.update(self.row, completed=done, description=words)


class SweepProgress:
    """Shows runs, steps, steps per second and time left of a sweep: a bar on a terminal, a line now and then otherwise.

    left: for each stack the largest number of steps that are left, summed over its runs
    close: called with the numbers of runs that have just ended; returns lines to print about them
    alone: no other process writes to the terminal; otherwise there is no bar, because several bars would mix
    above: text for the lines above the bar
    table: makes the table above the bar, of at most so many columns and lines; then no line of `close` is printed
    """

    def __init__(
        self,
        runs: int,
        ended: int,
        left: Mapping[int, int],
        close: Callable[[list[int]], list[str]],
        alone: bool = True,
        above: str = "",
        table: Callable[[int, int], Any] | None = None,
    ) -> None:
        self.runs, self.done, self.close, self.alone, self.above = runs, ended, close, alone, above
        self.table = table
        self.left = dict(left)
        self.taken: dict[int, int] = {}  # steps of each stack since the display began
        self.before: dict[int, int] = {}
        self.began = self.shown = time.monotonic()
        self.bar: Any = None

    def __enter__(self) -> "SweepProgress":
        if self.alone and sys.stderr.isatty() and sys.stdout.isatty():
            self.bar = rich.Progress(rich.BarColumn(), rich.TextColumn("{task.description}"))
            self.row = self.bar.add_task("", total=None)
            # no refresh thread, because processes are forked meanwhile
            self.console = rich.Console()
            group = rich.Group(*self._above(), self.bar)
            self.live = rich.Live(group, console=self.console, transient=True, auto_refresh=False)
            self.live.start()
        return self

    def _above(self) -> list[Any]:
        """What stands above the bar now."""
        lines = [rich.Text(printable(line), no_wrap=True) for line in self.above.splitlines()]
        return [*lines, *([self.table(*self.console.size)] if self.table is not None else [])]

    def __exit__(self, *exception: object) -> None:
        if self.bar is not None:
            self.live.stop()
            if self.table is not None:  # it stays on the terminal
                self.console.print(self.table(*self.console.size))
            self.bar = None

    def steps(self, stack: int, taken: int, left: int) -> None:
        """Records the steps that a stack has taken and those that are left at most, summed over its runs."""
        self.before.setdefault(stack, taken)
        self.taken[stack] = taken - self.before[stack]
        self.left[stack] = left

    def ended(self, numbers: list[int]) -> None:
        """Records that these runs have ended. Prints the lines about them unless the table shows them."""
        self.done += len(numbers)
        lines = self.close(numbers)
        for line in lines if self.bar is None or self.table is None else ():
            self.note(line)

    def stack_ended(self, stack: int) -> None:
        """Records that a stack has nothing left to do."""
        self.left.pop(stack, None)

    def halved(self, stack: int, parts: Mapping[int, int]) -> None:
        """Records that a stack was divided. `parts`: the number of runs in each new stack."""
        left, runs = self.left.pop(stack, 0), sum(parts.values())
        self.left |= {part: left * count // runs for part, count in parts.items()}

    def note(self, line: str) -> None:
        """Prints a line."""
        if self.bar is not None:
            self.live.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
        else:
            say(line)

    def refresh(self) -> None:
        """Shows the progress of the sweep. Without a bar: at most every `LINE_SECONDS`."""
        if self.bar is not None:
            taken, left = sum(self.taken.values()), sum(self.left.values())
            self.bar.update(self.row, completed=taken, total=taken + left, description=self.text())
            if self.table is not None:
                self.live.update(rich.Group(*self._above(), self.bar))
            self.live.refresh()
        elif time.monotonic() - self.shown > LINE_SECONDS:
            self.shown = time.monotonic()
            self.note(self.text())

    def text(self) -> str:
        """The progress of the sweep in words."""
        taken, left = sum(self.taken.values()), sum(self.left.values())
        rate = taken / max(time.monotonic() - self.began, 1e-9)
        words = f"{self.done} of {self.runs} runs  {taken:,} of at most {taken + left:,} steps"
        if not taken:
            return words
        seconds = round(left / rate)
        clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return f"{words}  {rate:,.0f} steps/s  {clock} left"


def evaluation_line(
    epoch: int,
    epochs: int,
    step: int,
    figures: Mapping[tuple[str, str], float],
    primary: Mapping[str, str],
    by: str,
    score: float,
    better: bool,
) -> str:
    """A line on an evaluation on val, with the `primary` metric of each task. An asterisk marks the best so far."""
    shown = "  ".join(f"{t} {m} {figures[t, m]:.4g}" for t, m in primary.items() if (t, m) in figures)
    mark = "*" if better else " "
    if by == LENGTH:
        return f"epoch {epoch:>{len(str(epochs))}}/{epochs}  step {step}"
    return f"epoch {epoch:>{len(str(epochs))}}/{epochs}  step {step}  {by} {score:.4f}{mark}  {shown}"


def closing_lines(
    summary: Mapping[str, Any], end: TrainingEnd, types: Mapping[str, str], primary: Mapping[str, str]
) -> list[str]:
    """The last lines of a completed run: the table, the selected checkpoint, what is to be said of its training."""
    best = summary["best"]
    if best["by"] == LENGTH:
        rows, other = summary["rows"]["train"], summary["settings"]["trainer"]["length_of"]
        return [
            f"trained on all {rows:,} rows for {summary['steps']:,} steps, the length of {shown(Path(other))}, in "
            f"{summary['seconds']:.1f} s; no rows are left for figures of val or test"
        ]
    table = results_table(types, summary["figures"], summary["trivial"], primary)
    if "iterations" in best:
        chosen = ", ".join(f"{task} {count}" for task, count in best["iterations"].items())
        lines = [table, f"iterations with the least loss on val: {chosen}; in {summary['seconds']:.1f} s"]
        most = summary["settings"]["model"]["iterations"]
        short = [task for task, count in best["iterations"].items() if count == most]
        more = f"{', '.join(short)}: val was best at the last iteration: more may help (model.iterations)"
        return [*lines, *([more] if short else []), *closing_words(end, summary)]
    return [
        table,
        f"checkpoint of epoch {best['epoch']} (step {best['step']}), selected by {best['by']} on val; "
        f"{summary['steps']} steps in {summary['seconds']:.1f} s",
        *closing_words(end, summary),
    ]


def results_table(
    types: Mapping[str, str], figures: Mapping[str, float], trivial: Mapping[str, float], primary: Mapping[str, str]
) -> str:
    """A table of the figures of a run and of the trivial predictor on test, or on val without test rows; a line each.

    An arrow shows whether higher or lower is better. An asterisk marks the task's primary metric.
    """
    rows = []
    split = "test" if any(name.startswith("test/") for name in figures) else "val"
    for task, kind in types.items():
        for metric, declared in type_of(kind).metrics.items():
            key = f"{split}/{task}/{metric}"
            if key in figures and (declared.listed or primary[task] == metric):
                mark = "*" if primary[task] == metric else " "
                name = f"  {task} {metric}{mark} {'↑' if declared.sign > 0 else '↓'}"
                rows.append([name, f"{figures[key]:.5g}", f"{trivial[key]:.5g}" if key in trivial else "-"])
    return "\n".join(table_lines([split, "this run", "trivial"], rows))
