"""Prints text without control characters: a name or an error message cannot control the terminal."""

import codecs
import contextlib
import io
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LONGEST = 1000  # characters in a line of an error, which may quote a cell of any length
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet reads a cell that begins so as a formula


def printable(text: str) -> str:
    """`text` in one line: a line break becomes a space, another control character its escape code."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text.replace("\n", " ")
    )


def plain_lines(text: str) -> str:
    """`printable` applied to each line of a text."""
    return "\n".join(map(printable, text.split("\n")))


def say(text: str, error: bool = False) -> None:
    """Prints a text and flushes. An `error` goes to stderr, each line cut after 1,000 characters."""
    lines = [printable(line) for line in text.split("\n")]
    if error:
        lines = [line if len(line) <= LONGEST else f"{line[:LONGEST]}…" for line in lines]
    with contextlib.suppress(OSError) if error else contextlib.nullcontext():  # stderr may be closed
        print("\n".join(lines), file=sys.stderr if error else sys.stdout, flush=True)


# replaces a character that the encoding of the terminal lacks; other characters become "?"
PLAIN = {
    **{"−": "-", "–": "-", "—": "-", "─": "-", "·": ".", "…": "...", "×": "x", "√": "sqrt", "½": "1/2", "²": "2"},
    **{"±": "+-", "≤": "<=", "≥": ">=", "Δ": "D", "σ": "sigma", "λ": "lambda", "∞": "inf", "⁻": "-", "°": "deg"},
    **{"↑": "^", "↓": "v", "←": "<-", "→": "->", "━": "-", "╸": "-", "╺": "-", "Σ": "sum"},
}
LACKING = "mtlrun.plain"  # the name of the error handler


def _plain(error: UnicodeError) -> tuple[str, int]:
    """An error handler of codecs: replaces each character that cannot be encoded by one or a few that can."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(PLAIN.get(character, "?") for character in characters), error.end


codecs.register_error(LACKING, _plain)


@contextlib.contextmanager
def encodable() -> Iterator[None]:
    """In this context stdout and stderr replace characters that their encoding lacks by similar ones.

    Otherwise a table with ± or Δ would end in an error in a terminal that is not UTF-8 (LC_ALL=C).
    """
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, io.TextIOWrapper)]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors=LACKING)
    try:
        yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            if not stream.closed:
                stream.reconfigure(errors=errors)


def columns() -> int | None:
    """The number of columns of the terminal that stdout is; None if stdout is a pipe or a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def shown(path: Path) -> str:
    """A path for people to read: relative if it is below the working directory."""
    relative = os.path.relpath(path)
    return typed(path if relative == ".." or relative.startswith(f"..{os.sep}") else Path(relative))


def typed(path: Path) -> str:
    """A path as typed in a shell: `./` precedes one that would be read as an option (-x) or a home directory (~x)."""
    text = str(path)
    return f".{os.sep}{text}" if text.startswith(("-", "~")) else text


def cell(value: Any) -> Any:
    """A cell of a table that people may open in a spreadsheet.

    Puts an apostrophe before text that a spreadsheet would execute as a formula. Numbers stay as they are.
    """
    if not isinstance(value, str) or not value.startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


class PlainRecord(logging.LogRecord):
    """A log record without control characters, because log lines go to the terminal too."""

    def getMessage(self) -> str:
        """The message without control characters."""
        return plain_lines(super().getMessage())


def plain_records(*arguments: Any, **named: Any) -> logging.LogRecord:
    """A factory of `PlainRecord` for `logging.setLogRecordFactory`."""
    return PlainRecord(*arguments, **named)
