"""`mtlrun check [OVERRIDES]`: what would be trained, and nothing is."""

from mtlrun.cli.parse import Words
from mtlrun.cli.train import request_of
from mtlrun.util.terminal import say


def check(words: Words) -> int:
    """Prints the resolved run, or how a sweep divides, and its runs."""
    request = request_of(words)
    if request.sweep:
        from mtlrun.sweeps.sweep import describe

        text = describe(request)
    else:
        from mtlrun.compose import single

        config = single(request)
        from mtlrun.runs.preview import report  # torch loads only for a run that may be

        text = report(config)
    say("\n".join([*request.notes, text]))
    return 0
