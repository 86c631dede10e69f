"""The exceptions that end a command, each with its exit status, and parts of their messages."""

import difflib
from collections.abc import Iterable

from mtlrun.util.terminal import printable


class RequestError(Exception):
    """The request was wrong: nothing was trained, nothing overwritten (exit status 2).

    The message has one or two lines. It names the key, what was found, what is allowed and how to correct it.
    It is printed without a traceback.
    """


class TrainingError(Exception):
    """A run failed during training, for a known reason (exit status 1)."""


class StorageError(Exception):
    """A disk cannot be written (full, over its quota, read-only or broken), or workers are lost (exit status 1).

    Files that were written before are complete. The work can be resumed later.
    """


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, SIGTERM or SIGHUP arrived. The progress so far is saved (exit status 128 + signal)."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def in_one_line(error: BaseException) -> str:
    """The message of an error in one line, preceded by its type unless it is an error of mtlrun."""
    words = "; ".join(line.strip() for line in str(error).splitlines())
    if isinstance(error, (RequestError, TrainingError, StorageError)):
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def nearest(word: str, known: Iterable[str]) -> str:
    """`"; did you mean X?"` for the known word nearest to `word`; "" if none is near. Capitals count little."""
    words = [str(k) for k in known]
    same = [k for k in words if k.lower() == str(word).lower() and k != word]
    close = same or difflib.get_close_matches(str(word), words, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def listing(words: Iterable[object], limit: int = 12) -> str:
    """The first `limit` words, separated by commas, or by semicolons if one of them contains a comma.

    The number of the others follows: `a, b and 7 more`.
    """
    items = [printable(str(word)) for word in words]
    shown = ("; " if any(", " in item for item in items[:limit]) else ", ").join(items[:limit])
    return shown + (f" and {len(items) - limit} more" if len(items) > limit else "") if items else "none"


def data_row(index: int) -> str:
    """The row of a table with this index, from 0, as a user counts it: from 1, without the header."""
    return f"data row {index + 1} (header not counted)"


def counted(count: int, noun: str) -> str:
    """`"1 run"`, `"3 runs"`: a count and its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
