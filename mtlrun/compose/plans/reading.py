"""How the arms of plans are read: which differences answer the question, and which values are chosen on val."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Word = Literal["gain", "loss", "none", "undecided"]  # none: within the margin


@dataclass(frozen=True)
class Contrast:
    """What it means that the arm `level` is worse than the arm `against`: a gain by what `name` says.

    Labels are regular expressions for the whole label; their named groups fill the braces of `name`.
    """

    name: str
    level: str
    against: str


@dataclass(frozen=True)
class Reading:
    """How a plan's arms are read.

    answer: from the word for each contrast, by the contrast's name as it stands here, the plan's answer in a sentence,
    whose braces the labels fill too
    tune: by label of an arm the keys of which it lists values to choose from
    reference: label of the arm that the others are held against
    restarts: by label of an arm that draws initial parameters anew, that of the arm whose draw is one more of them
    """

    contrasts: tuple[Contrast, ...] = ()
    answer: Callable[[Mapping[str, Word]], str] | None = None
    tune: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reference: str | None = None
    restarts: Mapping[str, str] = field(default_factory=dict)


class Between(NamedTuple):
    """A contrast of two labels that are there; `words` fill the braces of its name."""

    contrast: Contrast
    level: str
    against: str
    words: Mapping[str, str]

    @property
    def name(self) -> str:
        """The contrast's name, with the tasks' names."""
        return self.contrast.name.format(**self.words)


def between(reading: Reading, labels: Iterable[str]) -> list[Between]:
    """The contrasts of a plan of which both labels are there."""
    known = list(dict.fromkeys(labels))
    found = []
    for contrast in reading.contrasts:
        for level in known:
            for against in known:
                one, two = re.fullmatch(contrast.level, level), re.fullmatch(contrast.against, against)
                if one and two:
                    found.append(Between(contrast, level, against, one.groupdict() | two.groupdict()))
    return found
