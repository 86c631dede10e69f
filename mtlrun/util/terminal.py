"""Words for a terminal: whatever names and errors hold, they cannot steer it."""

import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import Any

LONGEST = 1000  # of a line of an error, which may quote a cell of any length
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def printable(text: str) -> str:
    """`text` in one line, its control characters shown as their codes."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text.replace("\n", " ")
    )


def plain_lines(text: str) -> str:
    """The same for each line of a text."""
    return "\n".join(map(printable, text.split("\n")))


def say(text: str, error: bool = False) -> None:
    """Prints lines, at once; on standard error, and each cut at a sane length, if it is about one."""
    lines = [printable(line) for line in text.split("\n")]
    if error:
        lines = [line if len(line) <= LONGEST else f"{line[:LONGEST]}…" for line in lines]
    with contextlib.suppress(OSError) if error else contextlib.nullcontext():  # a closed terminal takes nothing
        print("\n".join(lines), file=sys.stderr if error else sys.stdout, flush=True)


def shown(path: Path) -> str:
    """A path for people: relative where it lies below the working directory."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def cell(value: Any) -> Any:
    """A cell of a table that people open in a spreadsheet: text that would be a formula there begins with an
    apostrophe; numbers stay as they are."""
    if not isinstance(value, str) or not value.startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


class PlainRecord(logging.LogRecord):
    """A line of a log, which goes to the terminal too."""

    def getMessage(self) -> str:
        """The message, in lines that are plain."""
        return plain_lines(super().getMessage())


def plain_records(*arguments: Any, **named: Any) -> logging.LogRecord:
    """For `logging.setLogRecordFactory`."""
    return PlainRecord(*arguments, **named)
