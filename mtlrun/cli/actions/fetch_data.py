"""`mtlrun fetch NAME`: downloads a benchmark data set and prints its path."""

from mtlrun.cli.parse import Words
from mtlrun.data.download import fetch
from mtlrun.util.terminal import say


def act(words: Words) -> int:
    """Returns the exit status."""
    (name,) = words.operands(1)
    say(str(fetch(name)))
    return 0
