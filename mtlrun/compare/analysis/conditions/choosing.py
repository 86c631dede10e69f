"""Conditions: figures were not used to choose anything, and are compared with the trivial predictor."""

from collections.abc import Iterator

from mtlrun.compare.analysis.conditions.context import Context
from mtlrun.compare.collect.shell_commands import with_seeds
from mtlrun.compare.records import Finding
from mtlrun.util.shell import compare_command


def test_figures(context: Context) -> Iterator[Finding]:
    """The figures are from test, because checkpoints were chosen on val."""
    split = context.options.split
    if split != "test":
        text = f"figures on {split}, by which checkpoints were chosen: those of test did not take part in it"
        yield Finding("missing", "test figures", text, context.compare_with(*context.options.tune_words))


def trivial_predictor(context: Context) -> Iterator[Finding]:
    """There are figures of the trivial predictor."""
    if context.table.trivial is None:
        text = "no run has figures of the trivial predictor: whether anything was learnt is not known"
        seeds = sorted({run.seed for run in context.collection.runs})
        yield Finding("missing", "trivial predictor", text, with_seeds(context.largest_sweep, seeds))


def fresh_seeds(context: Context) -> Iterator[Finding]:
    """Settings that --tune chose are reported on seeds that were not used for the choice."""
    text = "settings were chosen on the seeds that are reported, which flatters them; fresh seeds do not"
    settings = [result.setting for result in context.results]
    if context.options.tune and any(len(setting.tries) > 1 for setting in settings):
        command = context.compare_with(*context.options.tune_words, "--confirm")
        yield Finding("missing", "fresh seeds", text, command)
    elif any(run.choice is None for setting in settings if len(setting.before) > 1 for run in setting.members):
        confirmed = [run.sweep for run in context.collection.runs if run.choice is not None and run.sweep is not None]
        yield Finding("missing", "fresh seeds", text, compare_command([*dict.fromkeys(confirmed)]))
