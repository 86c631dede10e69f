"""What is wrong with the files of runs: noted while they are read, shown as one finding for each condition."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mtlrun.compare.records import Finding

SHOWN = 3  # problems that a finding names; the others it counts


def first_few(texts: Sequence[str]) -> str:
    """The first texts, and how many more there are."""
    more = len(texts) - SHOWN
    return "; ".join(texts[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Problem:
    """What is wrong in a folder, given by its name. `condition`: its kind, in a few words."""

    condition: str
    folder: str
    text: str


@dataclass
class Problems:
    """What is wrong in all folders, in the order in which it was noticed."""

    noted: list[Problem] = field(default_factory=list)

    def add(self, condition: str, folder: str, text: str) -> None:
        """Notes a problem."""
        self.noted.append(Problem(condition, folder, text))

    def findings(self) -> Iterator[Finding]:
        """One finding for each condition, with the first folders by name."""
        for condition in dict.fromkeys(problem.condition for problem in self.noted):
            alike = [f"{problem.folder}: {problem.text}" for problem in self.noted if problem.condition == condition]
            yield Finding("warning", condition, first_few(alike))
