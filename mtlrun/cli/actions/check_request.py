"""`mtlrun check [OVERRIDES]`: prints the resolved run, or the runs of a sweep and its stacks. Trains nothing."""

from mtlrun.cli.actions.composed_request import print_configuration, request_of
from mtlrun.cli.parse import Words
from mtlrun.compose import single
from mtlrun.data.dataset import load_table
from mtlrun.util.garbage import seldom_collected
from mtlrun.util.lazy import importing
from mtlrun.util.printed_sections import say_sections
from mtlrun.util.terminal import say


@seldom_collected()
def act(words: Words) -> int:
    """Returns the exit status."""
    request = request_of(words)
    if "cfg" in words.options:
        return print_configuration(request, words.options["cfg"])
    if request.sweep:
        from mtlrun.sweeps.sweep import describe

        say("\n".join([*request.notes, describe(request)]))
        return 0
    config = single(request)
    with importing("torch"):  # only if the request is valid
        load_table(config)  # once per process
    from mtlrun.runs.preview import configuration, report

    sections = report(config, request.notes, "all" in words.options)
    say_sections([*sections, *([configuration(config)] if "config" in words.options else [])])
    return 0
