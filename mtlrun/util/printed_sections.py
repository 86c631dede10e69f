"""Prints titled sections: the title beside its lines, in colour if stdout is a terminal that shows colours."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mtlrun.util.terminal import columns, printable, say

NARROWEST = 40  # columns for the text of a section


@dataclass(frozen=True)
class Section:
    """A titled part of what a command prints. alarming: it reports problems."""

    title: str
    lines: Sequence[str]
    alarming: bool = False


def as_text(sections: Sequence[Section], width: int | None = None) -> str:
    """The sections as text. Lines longer than `width` columns are broken; None: no line is."""
    return "\n".join(f"{title}{line}".rstrip() for title, line, _ in _rows(sections, width))


def say_sections(sections: Sequence[Section]) -> None:
    """Prints the sections. On a terminal, titles are bold and problems yellow, and lines are broken to its width."""
    width = columns()
    if width is None:
        say(as_text(sections))
        return
    from rich.console import Console  # takes 50 ms, so it is imported only for a terminal
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for title, line, alarming in _rows(sections, width):
        text = Text(title, "bold yellow" if alarming else "bold cyan")
        console.print(text.append(line, "yellow" if alarming else "not bold default"))


def _rows(sections: Sequence[Section], width: int | None) -> Iterator[tuple[str, str, bool]]:
    """(title, line, alarming) for each printed line. The title is empty after the first line of a section."""
    margin = max(len(section.title) for section in sections) + 2
    for section in sections:
        title = section.title
        for line in section.lines:
            for part in _broken(printable(line), None if width is None else max(width - margin, NARROWEST)):
                yield title.ljust(margin), part, section.alarming
                title = ""


def _broken(line: str, width: int | None) -> list[str]:
    """The parts of a line, each at most `width` letters. All parts but the first are indented by two more."""
    if width is None or len(line) <= width:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False, replace_whitespace=False)
