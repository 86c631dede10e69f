"""`mtlrun check [OVERRIDES]`: shows what would be trained. Trains nothing."""

from mtlrun.cli.parse import Words
from mtlrun.cli.train import request_of
from mtlrun.util.terminal import say


def check(words: Words) -> int:
    """Prints the resolved run. For a sweep: prints its runs and how they are divided into stacks."""
    request = request_of(words)
    if request.sweep:
        from mtlrun.sweeps.sweep import describe

        text = describe(request)
    else:
        from mtlrun.compose import single

        config = single(request)
        from mtlrun.runs.preview import report  # torch loads only if the request is valid

        text = report(config)
    say("\n".join([*request.notes, text]))
    return 0
