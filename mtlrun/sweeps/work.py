"""The work of a process, which is one stack, and the messages that the process sends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtlrun.config.schema import Config
from mtlrun.runs.stack_of_runs import first_checkpoint
from mtlrun.storage.names import LAST
from mtlrun.storage.summary import ENDED, status_of
from mtlrun.storage.sweep_folder import STACKS


@dataclass(frozen=True)
class Job:
    """One run of a sweep: its number in the sweep, its folder, its overrides, its configuration."""

    number: int
    folder: Path
    arguments: Sequence[str]
    config: Config
    data_hash: str | None = None  # hash of its table when the sweep started

    @property
    def has_ended(self) -> bool:
        """Whether the run has completed or failed."""
        return status_of(self.folder) in ENDED


@dataclass(frozen=True)
class Work:
    """The runs of stack `number` of the sweep in the folder `sweep`."""

    number: int
    sweep: Path
    jobs: Sequence[Job]
    broken: bool = False  # a part of a stack that ended with an error

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of the whole stack. For a single run it is in the run's folder."""
        return stack_checkpoint(self.sweep, self.number, [job.folder for job in self.jobs])

    @property
    def unfinished(self) -> list[Job]:
        """The runs that have not ended."""
        return [job for job in self.jobs if not job.has_ended]

    def drop_checkpoint(self) -> None:
        """Removes the checkpoints of the stack and of its first stage."""
        for path in (self.checkpoint, first_checkpoint(self.checkpoint)):
            path.unlink(missing_ok=True)

    def drop_needless_checkpoint(self) -> None:
        """Removes the checkpoint of a stack if all runs have ended. Keeps that of a single run, which belongs to it."""
        if len(self.jobs) > 1 and not self.unfinished:
            self.drop_checkpoint()


def stack_checkpoint(sweep: Path, number: int, folders: Sequence[Path]) -> Path:
    """The path of the checkpoint of stack `number`."""
    return folders[0] / LAST if len(folders) == 1 else sweep / STACKS / f"{number:03d}.pt"


# ---------------------------------------------------------------- messages


@dataclass(frozen=True)
class Steps:
    """The steps that a stack has taken and those that are left at most, summed over its runs."""

    taken: int
    left: int


@dataclass(frozen=True)
class Ended:
    """The numbers of runs that have just ended. An empty list says that runs have just started."""

    runs: Sequence[int]


@dataclass(frozen=True)
class OutOfMemory:
    """The stack was too large for the memory."""

    why: str


@dataclass(frozen=True)
class Broken:
    """The stack ended with an error that one of its runs may have caused."""

    why: str


@dataclass(frozen=True)
class Refused:
    """The stack cannot continue: the disk, the table or its checkpoint has changed."""

    why: str


Message = Steps | Ended | OutOfMemory | Broken | Refused
Send = Callable[[Message], None]
