"""The runs of one stack as work for a process, and what happens to them as messages to whoever shows it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtlrun.config.schema import Config
from mtlrun.results.summary import ENDED, status_of
from mtlrun.results.sweep_folder import STACKS
from mtlrun.runs.stack_of_runs import LAST, first_checkpoint


@dataclass(frozen=True)
class Job:
    """One run of a sweep: its number there, its folder, the words it was asked for with, its configuration."""

    number: int
    folder: Path
    arguments: Sequence[str]
    config: Config
    data_hash: str | None = None  # of its table when the sweep began

    @property
    def has_ended(self) -> bool:
        """Completed or failed."""
        return status_of(self.folder) in ENDED


@dataclass(frozen=True)
class Work:
    """The runs of one stack, by the stack's number; what it needs to go on lies in `sweep`."""

    number: int
    sweep: Path
    jobs: Sequence[Job]
    broken: bool = False  # a part of one that ended with an error

    @property
    def checkpoint(self) -> Path:
        """Where the whole stack is saved: in the run's own folder where there is one run only."""
        return stack_checkpoint(self.sweep, self.number, [job.folder for job in self.jobs])

    @property
    def unfinished(self) -> list[Job]:
        """The runs that have not ended."""
        return [job for job in self.jobs if not job.has_ended]

    def drop_checkpoint(self) -> None:
        """Removes what the stack was saved in."""
        for path in (self.checkpoint, first_checkpoint(self.checkpoint)):
            path.unlink(missing_ok=True)

    def drop_needless_checkpoint(self) -> None:
        """A stack's checkpoint is of no use once all runs have ended; that of a single run is the run's own."""
        if len(self.jobs) > 1 and not self.unfinished:
            self.drop_checkpoint()


def stack_checkpoint(sweep: Path, number: int, folders: Sequence[Path]) -> Path:
    """The checkpoint of stack `number`."""
    return folders[0] / LAST if len(folders) == 1 else sweep / STACKS / f"{number:03d}.pt"


# ---------------------------------------------------------------- messages


@dataclass(frozen=True)
class Steps:
    """The steps that all runs of a stack have taken, and those that are left at most."""

    taken: int
    left: int


@dataclass(frozen=True)
class Ended:
    """The numbers of runs that have just ended; none where they have just begun."""

    runs: Sequence[int]


@dataclass(frozen=True)
class OutOfMemory:
    """The memory was too small for the stack."""

    why: str


@dataclass(frozen=True)
class Broken:
    """The stack ended with an error, of which one of its runs may be the cause."""

    why: str


@dataclass(frozen=True)
class Refused:
    """The stack cannot go on: the disk, the table or its checkpoint is not as it was."""

    why: str


Message = Steps | Ended | OutOfMemory | Broken | Refused
Send = Callable[[Message], None]
