"""The ways in which a command can end other than well, each with its exit status."""

import difflib
from collections.abc import Iterable

from mtlrun.util.terminal import printable


class RequestError(Exception):
    """The request was wrong: nothing was trained, nothing overwritten (exit status 2).

    The message names the key, what was found, what is allowed and how to mend it, in one or two
    lines; it is printed without a traceback.
    """


class TrainingError(Exception):
    """A run failed while training, for a reason that can be named (exit status 1)."""


class StorageError(Exception):
    """A disk takes no more (full, over its quota, read-only, broken): work ends here, and what was written before is
    whole (exit status 1). Nothing has failed that could not go on later."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM arrived; what was reached is saved (exit status 128 + signal)."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def in_one_line(error: BaseException) -> str:
    """What an error says, in one line; where it is none of ours, what kind of error it is too."""
    words = "; ".join(line.strip() for line in str(error).splitlines())
    if isinstance(error, (RequestError, TrainingError, StorageError)):
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def nearest(word: str, known: Iterable[str]) -> str:
    """`"; did you mean X?"` for the known spelling nearest to `word`, or an empty string."""
    close = difflib.get_close_matches(str(word), [str(k) for k in known], n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def listing(words: Iterable[object], limit: int = 12) -> str:
    """The words in order, cut after `limit`; separated by commas, by semicolons where one of them holds a comma."""
    items = [printable(str(word)) for word in words]
    shown = ("; " if any(", " in item for item in items[:limit]) else ", ").join(items[:limit])
    return shown + (f", … ({len(items)} in all)" if len(items) > limit else "") if items else "none"
