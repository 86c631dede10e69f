"""The reading of a plan's arms: which differences answer its question, and which values are chosen on val."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Word = Literal["gain", "loss", "none", "undecided"]  # none: the difference is within the margin


@dataclass(frozen=True)
class Contrast:
    """A difference between two arms. If the arm `level` is worse than the arm `against`, there is a gain by `name`.

    `level` and `against` are regular expressions for the whole label. Their named groups fill the braces of `name`.
    """

    name: str
    level: str
    against: str


@dataclass(frozen=True)
class Reading:
    """The reading of a plan's arms.

    answer: gives the plan's answer in a sentence, from the word for each contrast, by the contrast's `name` with its
        braces; the groups of the labels fill the braces of the sentence
    tune: by label of an arm, the keys whose values are chosen on val
    reference: the label of the arm that the others are compared with
    restarts: arms that repeat another arm with new initial parameters: by their label, the label of that other arm
    """

    contrasts: tuple[Contrast, ...] = ()
    answer: Callable[[Mapping[str, Word]], str] | None = None
    tune: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reference: str | None = None
    restarts: Mapping[str, str] = field(default_factory=dict)


class Between(NamedTuple):
    """A contrast between two existing labels. `words` fill the braces of its name."""

    contrast: Contrast
    level: str
    against: str
    words: Mapping[str, str]

    @property
    def name(self) -> str:
        """The name of the contrast, with the names of the tasks."""
        return self.contrast.name.format(**self.words)


def between(reading: Reading, labels: Iterable[str]) -> list[Between]:
    """The contrasts of a plan whose two labels are both among `labels`."""
    known = list(dict.fromkeys(labels))
    found = []
    for contrast in reading.contrasts:
        for level in known:
            for against in known:
                one, two = re.fullmatch(contrast.level, level), re.fullmatch(contrast.against, against)
                if one and two:
                    found.append(Between(contrast, level, against, one.groupdict() | two.groupdict()))
    return found
