"""`mtlrun tune [OVERRIDES]`: searches settings, confirms them, and says what to do."""

from mtlrun.cli.parse import Words
from mtlrun.tune.tune_folder import tune


def act(words: Words) -> int:
    """Returns the exit status."""
    return tune(words.words, words.options.get("config_dir"))
