"""`mtlrun explain WORD`: explains a word of statistics, a key or an option. Without a word it lists them."""

from mtlrun.cli.explain import explanation, list_of_words
from mtlrun.cli.parse import Words
from mtlrun.util.terminal import say


def act(words: Words) -> int:
    """Returns the exit status."""
    say(explanation(" ".join(words.words)) if words.words else list_of_words())
    return 0
