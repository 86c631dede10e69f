"""`mtlrun [OVERRIDES]`: trains one run, or a sweep with -m."""

from typing import TYPE_CHECKING

from mtlrun.cli.parse import Words

if TYPE_CHECKING:
    from mtlrun.compose import Request


def request_of(words: Words) -> "Request":
    """Composes the request from the overrides. Raises RequestError if they are wrong."""
    from mtlrun.compose import compose

    return compose(words.words, words.options.get("config_dir"), "multirun" in words.options)


def train(words: Words) -> int:
    """Trains the run or sweep that the overrides ask for. Returns the exit status."""
    request = request_of(words)
    if request.sweep:
        from mtlrun.sweeps.sweep import run_sweep

        return run_sweep(request)
    from mtlrun.runs.launch import run_one

    return run_one(request)
