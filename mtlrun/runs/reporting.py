"""Reports the progress of runs: to the terminal, or to the run.log of each run."""

import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from mtlrun.config.schema import Config
from mtlrun.engine.member import Member
from mtlrun.runs.stack_of_runs import StackOfRuns
from mtlrun.storage.names import LOG
from mtlrun.storage.progress import Progress, closing_lines
from mtlrun.storage.summary import record_end
from mtlrun.storage.training_end import training_end
from mtlrun.storage.writer import LOG_FORMAT, log_lines

log = logging.getLogger("mtlrun")
Display = Callable[[int, Sequence[str]], Progress]  # called with the number of steps and the tasks
State = dict[str, Any]  # the content of a checkpoint


class Reporter(ABC):
    """Reports how the runs of a stack proceed.

    number: the number of the stack
    line: prints a line of a run in training; None: the run's writer puts it into run.log
    """

    number = 0
    line: Callable[[str], None] | None = None

    @abstractmethod
    def progress(self, total: int, tasks: Sequence[str]) -> Progress:
        """Creates the display of the stack's steps, `total` in all."""

    @abstractmethod
    def begin(self, member: Member, state: State | None, notes: Sequence[str]) -> None:
        """Called when a run starts to train, from step 0 or from the saved `state`."""

    @abstractmethod
    def end(self, members: Sequence[Member]) -> None:
        """Called when runs have completed or failed. Their files are complete."""

    @abstractmethod
    def failed_before(self, members: Sequence[Member]) -> None:
        """Called for runs whose first stage failed."""

    @abstractmethod
    def close(self) -> None:
        """Called when all runs have ended and the display of their steps is gone."""

    @abstractmethod
    def first_stages(
        self, firsts: StackOfRuns, state: State | None, steps_after: int
    ) -> "AbstractContextManager[Reporter]":
        """A context in which the first stages train; gives their reporter. `steps_after`: steps of the second stage."""


class Console(Reporter):
    """Reports a single run. Its lines go through logging, to the terminal and to run.log."""

    def __init__(self) -> None:
        self.line = log.info
        self.ended: list[Member] = []

    def progress(self, total: int, tasks: Sequence[str]) -> Progress:
        """Creates a progress bar."""
        return Progress(total, tasks)

    def begin(self, member: Member, state: State | None, notes: Sequence[str]) -> None:
        """Logs the notes. `single.resume` has logged that a run is resumed."""
        for note in notes:
            log.info(note)

    def end(self, members: Sequence[Member]) -> None:
        """Keeps the run for `close`, because the bar is still on the terminal."""
        self.ended += members

    def failed_before(self, members: Sequence[Member]) -> None:
        """Does nothing. The caller prints why the run failed."""

    def close(self) -> None:
        """Logs the closing lines of a completed run. If it failed, the caller prints why."""
        for member in self.ended:
            for line in closing(member) if member.summary["status"] == "completed" else ():
                log.info(line)

    @contextmanager
    def first_stages(self, firsts: StackOfRuns, state: State | None, steps_after: int) -> Iterator[Reporter]:
        """Writes the lines of the first stage to its run.log too. Records an interrupt in the run's folder."""
        (config,), (folder,) = firsts.configs, firsts.folders
        try:
            with _also_in(folder / LOG):
                log.info(_words_of_first(config) + (f", resumed at step {state['step']}" if state else ""))
                yield Console()
        except KeyboardInterrupt:
            record_end(folder.parent, "interrupted")
            raise


class RunLogs(Reporter):
    """Reports a stack of `runs` runs. The lines of each run go to its run.log. Calls `ended` with runs that ended."""

    def __init__(self, number: int, runs: int, display: Display, ended: Callable[[list[Member]], None]) -> None:
        self.number, self.runs, self.display, self.ended = number, runs, display, ended

    def progress(self, total: int, tasks: Sequence[str]) -> Progress:
        """Creates the display, which may be in another process and show all stacks together."""
        return self.display(total, tasks)

    def begin(self, member: Member, state: State | None, notes: Sequence[str]) -> None:
        """Writes the first lines of run.log, or the first lines after an interruption."""
        assert member.writer is not None, "it has not ended"
        beginning = f"one of {self.runs} runs of stack {self.number}"
        member.writer.log([f"resumed at step {state['step']}" if state else beginning, *notes])

    def end(self, members: Sequence[Member]) -> None:
        """Writes the last lines of each run.log."""
        for member in members:
            assert member.writer is not None, "it ended just now"
            completed = member.summary["status"] == "completed"
            lines = closing(member) if completed else [f"failed: {member.summary['error']}"]
            with contextlib.suppress(OSError):  # the run may have failed because of this file
                member.writer.log(lines)
        self.ended([*members])

    def failed_before(self, members: Sequence[Member]) -> None:
        """Writes the error of each run to its run.log. These runs have no writer, because they never started."""
        for member in members:
            log_lines(member.folder, [f"failed: {member.summary['error']}"])
        self.ended([*members])

    def close(self) -> None:
        """Does nothing. `end` has written the closing lines."""

    @contextmanager
    def first_stages(self, firsts: StackOfRuns, state: State | None, steps_after: int) -> Iterator[Reporter]:
        """Shows the steps of both stages together. The end of a first stage is not reported as the end of a run."""

        def display(total: int, tasks: Sequence[str]) -> Progress:
            shown = self.display(total, tasks)
            shown.after = steps_after
            return shown

        yield RunLogs(self.number, self.runs, display, lambda members: None)


def closing(member: Member) -> list[str]:
    """The lines that report a completed run."""
    end, types = training_end(member.folder, member.summary), {t: v.type for t, v in member.dataset.targets.items()}
    return closing_lines(member.summary, end, types, member.dataset.primary)


def _words_of_first(first: Config) -> str:
    return f"first stage: the trunk is trained on {', '.join(first.active)}"


@contextmanager
def _also_in(path: Path) -> Iterator[None]:
    """Writes the lines of the log to a file too, meanwhile."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(LOG_FORMAT)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()
