"""What a person sees while a run trains: a bar on a terminal, plain lines otherwise."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mtlrun.data.targets import TASK_METRICS

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger("mtlrun")
REFRESH_STEPS = 50


@contextmanager
def quiet_console() -> Iterator[None]:
    """Lines of INFO go to log files only, not to the terminal."""
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
    """Steps and per-task losses of one run. Use as a context manager around the training.

    `primary` maps each task to the metric that its line shows.
    """

    def __init__(self, total: int, epochs: int, tasks: Sequence[str], primary: Mapping[str, str]) -> None:
        self.total, self.epochs, self.tasks, self.primary = total, epochs, list(tasks), dict(primary)
        self.bar: Any = None
        self.quiet: AbstractContextManager[None] = nullcontext()

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty() and sys.stdout.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self.bar = Bar(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("steps"),
                           TimeRemainingColumn(), transient=True)  # fmt: skip
            self.row = self.bar.add_task("training", total=self.total)
            self.bar.start()
            self.quiet = quiet_console()  # lines would run through the bar
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
        """Show the losses `[R, T]` of the first run, every so many steps."""
        if self.bar is not None and step % REFRESH_STEPS == 0:
            shown = "  ".join(f"{t} {v:.4g}" for t, v in zip(self.tasks, losses[0].tolist(), strict=True))
            self.bar.update(self.row, completed=step, description=shown)

    def evaluated(self, epoch: int, step: int, figures: Mapping[tuple[str, str], float], by: str, score: float,
                  better: bool) -> None:  # fmt: skip
        """One line for an evaluation on val; an asterisk marks the best so far."""
        shown = "  ".join(f"{t} {m} {figures[t, m]:.4g}" for t, m in self.primary.items() if (t, m) in figures)
        mark = "*" if better else " "
        epochs = f"{epoch:>{len(str(self.epochs))}}/{self.epochs}"
        log.info(f"epoch {epochs}  step {step}  {by} {score:.4f}{mark}  {shown}")


def results_table(types: Mapping[str, str], figures: Mapping[str, float], trivial: Mapping[str, float],
                  primary: Mapping[str, str]) -> str:  # fmt: skip
    """Test figures beside the trivial predictor's, one line per metric, arrows for what is better."""
    lines = [f"{'test':<34} {'this run':>12} {'trivial':>12}"]
    for task, kind in types.items():
        for metric, direction in TASK_METRICS[kind].items():
            key = f"test/{task}/{metric}"
            if metric != "mse" and key in figures:
                mark = "*" if primary[task] == metric else " "
                name = f"  {task} {metric}{mark} {'↑' if direction == 'max' else '↓'}"
                base = f"{trivial[key]:>12.5g}" if key in trivial else f"{'-':>12}"
                lines.append(f"{name:<34} {figures[key]:>12.5g} {base}")
    return "\n".join(lines)
