"""Where the lines of runs go while they train: to the terminal, or into the run.log of each."""

import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from mtlrun.config.schema import Config
from mtlrun.engine.member import Member
from mtlrun.results.progress import Progress, closing_lines
from mtlrun.results.summary import record_end
from mtlrun.results.writer import LOG_FORMAT, log_lines
from mtlrun.runs.stack_of_runs import StackOfRuns

log = logging.getLogger("mtlrun")
Display = Callable[[int, Sequence[str]], Progress]  # from the number of steps and the tasks
State = dict[str, Any]  # what a checkpoint holds


class Reporter(ABC):
    """Says how the runs of a stack go on.

    number: that of the stack; line: what the lines of a run in training go through, None: they go into its run.log
    """

    number = 0
    line: Callable[[str], None] | None = None

    @abstractmethod
    def progress(self, total: int, tasks: Sequence[str]) -> Progress:
        """The display of the stack's steps."""

    @abstractmethod
    def begin(self, member: Member, state: State | None, notes: Sequence[str]) -> None:
        """A run trains from now on, from its beginning or from `state`."""

    @abstractmethod
    def end(self, members: Sequence[Member]) -> None:
        """Runs have just ended, well or badly, and their files are complete."""

    @abstractmethod
    def failed_before(self, members: Sequence[Member]) -> None:
        """Runs have failed in their first stage."""

    @abstractmethod
    def close(self) -> None:
        """All runs have ended, and the display of their steps is gone."""

    @abstractmethod
    def first_stages(
        self, firsts: StackOfRuns, state: State | None, steps_after: int
    ) -> "AbstractContextManager[Reporter]":
        """While this lasts the first stages train; what reports on them. `steps_after`: those of the second stage."""


class Console(Reporter):
    """Of a single run: its lines go through logging, to the terminal and into run.log."""

    def __init__(self) -> None:
        self.line = log.info
        self.ended: list[Member] = []

    def progress(self, total: int, tasks: Sequence[str]) -> Progress:
        """A bar."""
        return Progress(total, tasks)

    def begin(self, member: Member, state: State | None, notes: Sequence[str]) -> None:
        """Whoever resumes a run says so itself."""
        for note in notes:
            log.info(note)

    def end(self, members: Sequence[Member]) -> None:
        """The closing lines would run through the bar."""
        self.ended += members

    def failed_before(self, members: Sequence[Member]) -> None:
        """Its caller says why."""

    def close(self) -> None:
        """The closing lines of a run that is completed; of one that failed its caller says why."""
        for member in self.ended:
            for line in closing(member) if member.summary["status"] == "completed" else ():
                log.info(line)

    @contextmanager
    def first_stages(self, firsts: StackOfRuns, state: State | None, steps_after: int) -> Iterator[Reporter]:
        """Its lines go into its own run.log too. An interrupt is noted in the run's folder."""
        (config,), (folder,) = firsts.configs, firsts.folders
        try:
            with _also_in(folder / "run.log"):
                log.info(_words_of_first(config) + (f", resumed at step {state['step']}" if state else ""))
                yield Console()
        except KeyboardInterrupt:
            record_end(folder.parent, "interrupted")
            raise


class RunLogs(Reporter):
    """Of `runs` runs side by side: the lines of each go into its run.log. `ended` is called with those that have."""

    def __init__(self, number: int, runs: int, display: Display, ended: Callable[[list[Member]], None]) -> None:
        self.number, self.runs, self.display, self.ended = number, runs, display, ended

    def progress(self, total: int, tasks: Sequence[str]) -> Progress:
        """Of all stacks at work together, perhaps in another process."""
        return self.display(total, tasks)

    def begin(self, member: Member, state: State | None, notes: Sequence[str]) -> None:
        """The first lines of its run.log, or those after an interruption."""
        assert member.writer is not None, "it has not ended"
        beginning = f"one of {self.runs} runs of stack {self.number}"
        member.writer.log([f"resumed at step {state['step']}" if state else beginning, *notes])

    def end(self, members: Sequence[Member]) -> None:
        """The last lines of each run.log."""
        for member in members:
            assert member.writer is not None, "it ended just now"
            completed = member.summary["status"] == "completed"
            lines = closing(member) if completed else [f"failed: {member.summary['error']}"]
            with contextlib.suppress(OSError):  # it may be what the run has failed of
                member.writer.log(lines)
        self.ended([*members])

    def failed_before(self, members: Sequence[Member]) -> None:
        """They have no writer: they did not begin."""
        for member in members:
            log_lines(member.folder, [f"failed: {member.summary['error']}"])
        self.ended([*members])

    def close(self) -> None:
        """Each run has said so at its end."""

    @contextmanager
    def first_stages(self, firsts: StackOfRuns, state: State | None, steps_after: int) -> Iterator[Reporter]:
        """The ends of first stages are no ends of runs."""

        def display(total: int, tasks: Sequence[str]) -> Progress:
            shown = self.display(total, tasks)
            shown.after = steps_after
            return shown

        yield RunLogs(self.number, self.runs, display, lambda members: None)


def closing(member: Member) -> list[str]:
    """What a completed run says at its end."""
    targets = member.dataset.targets.items()
    return closing_lines(member.summary, {t: v.type for t, v in targets}, {t: v.primary for t, v in targets})


def _words_of_first(first: Config) -> str:
    return f"first stage: the trunk is trained on {', '.join(first.active)}"


@contextmanager
def _also_in(path: Path) -> Iterator[None]:
    """Lines of the log go to a file too."""
    handler = logging.FileHandler(path)
    handler.setFormatter(LOG_FORMAT)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()
