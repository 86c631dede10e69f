"""`mtlrun [OVERRIDES]`: trains one run, or a sweep with -m."""

from mtlrun.cli.actions.composed_request import print_configuration, request_of
from mtlrun.cli.parse import Words


def act(words: Words) -> int:
    """Returns the exit status."""
    request = request_of(words)
    if "cfg" in words.options:
        return print_configuration(request, words.options["cfg"])
    if request.sweep:
        from mtlrun.sweeps.sweep import run_sweep

        return run_sweep(request)
    from mtlrun.runs.launch import run_one

    return run_one(request)
