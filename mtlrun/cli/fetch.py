"""`mtlrun fetch NAME`: downloads a benchmark data set."""

from mtlrun.cli.parse import Words
from mtlrun.util.terminal import say


def fetch(words: Words) -> int:
    """Downloads the data set and prints its path."""
    (name,) = words.operands(1)
    from mtlrun.data.download import fetch as download

    say(str(download(name)))
    return 0
