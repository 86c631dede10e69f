"""Problems with the files of runs. They are noted while reading and shown as one finding per condition."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mtlrun.compare.records import Finding

SHOWN = 3  # number of problems that a finding names; it counts the others


def first_few(texts: Sequence[str]) -> str:
    """The first texts, and the number of the others."""
    more = len(texts) - SHOWN
    return "; ".join(texts[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Problem:
    """A problem in a folder, given by its name. condition: the kind of problem in a few words."""

    condition: str
    folder: str
    text: str


@dataclass
class Problems:
    """The problems in all folders, in the order in which they were noted."""

    noted: list[Problem] = field(default_factory=list)

    def add(self, condition: str, folder: str, text: str) -> None:
        """Notes a problem."""
        self.noted.append(Problem(condition, folder, text))

    def findings(self) -> Iterator[Finding]:
        """One finding per condition, with the names of the first folders."""
        for condition in dict.fromkeys(problem.condition for problem in self.noted):
            alike = [f"{problem.folder}: {problem.text}" for problem in self.noted if problem.condition == condition]
            yield Finding("warning", condition, first_few(alike))
