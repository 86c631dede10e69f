"""`mtlrun compare DIR...`: compares the results of runs."""

from mtlrun.cli.parse import Words
from mtlrun.compare.command import compare
from mtlrun.storage.latest import model_folder


def act(words: Words) -> int:
    """Returns the exit status."""
    return compare([model_folder(word) for word in words.words], words.options)
