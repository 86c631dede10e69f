"""`mtlrun [OVERRIDES]`: train one run; with -m a sweep."""

from typing import TYPE_CHECKING

from mtlrun.cli.parse import Words

if TYPE_CHECKING:
    from mtlrun.compose import Request


def request_of(words: Words) -> "Request":
    """What the overrides ask for, composed. Raises RequestError."""
    from mtlrun.compose import compose

    return compose(words.words, words.options.get("config_dir"), "multirun" in words.options)


def train(words: Words) -> int:
    """Trains what the overrides ask for; the exit status."""
    request = request_of(words)
    if request.sweep:
        from mtlrun.sweeps.sweep import run_sweep

        return run_sweep(request)
    from mtlrun.runs.launch import run_one

    return run_one(request)
