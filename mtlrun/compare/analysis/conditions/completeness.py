"""Conditions: every run ended, enough seeds, and the same seeds for every row."""

from collections.abc import Iterator

from mtlrun.compare.analysis.conditions.context import Context
from mtlrun.compare.collect.shell_commands import origin, with_seeds
from mtlrun.compare.records import Finding
from mtlrun.statistics import seeds_needed
from mtlrun.util.errors import counted, listing
from mtlrun.util.shell import resume_command


def failed_runs(context: Context) -> Iterator[Finding]:
    """No run failed."""
    runs = context.collection.runs
    failed = [run for run in runs if run.failed]
    if failed:
        first = f"{failed[0].name}: {failed[0].error or 'see its run.log'}"
        yield Finding("warning", "failed runs", f"{len(failed)} of {len(runs)} runs failed ({first})")


def unfinished_runs(context: Context) -> Iterator[Finding]:
    """Every sweep is finished."""
    folders = [run.sweep or run.folder for run in context.collection.runs if run.unfinished]
    for folder in dict.fromkeys(folders):
        count = folders.count(folder)
        text = f"{counted(count, 'run')} {'are' if count > 1 else 'is'} not finished in {folder}"
        yield Finding("missing", "unfinished runs", text, resume_command(folder))


def enough_seeds(context: Context) -> Iterator[Finding]:
    """Every row has enough seeds for a significant difference, in the table and in the questions of the runs."""
    rows = [result.row for result in context.completed]
    by_row, by_question = context.table.seeds_needed, seeds_needed(context.asked.count)
    needed, fewest = max(by_row, by_question), min(len(row.seeds) for row in rows)
    if fewest >= needed:
        return
    what = context.asked.noun if by_question > by_row else "row"
    text = f"{counted(fewest, 'seed')}; no {what} can be significant below {needed}"
    few = [row for row in rows if len(row.seeds) < needed]
    if len(few) < len(rows):  # others have the missing seeds, and `equal_seeds` gives the commands
        yield Finding("missing", "seeds", f"{listing([row.label for row in few], 4)}: {text}")
    else:
        start = max(seed for row in rows for seed in row.seeds) + 1
        yield from context.further_seeds("seeds", text, range(start, start + needed - fewest))


def equal_seeds(context: Context) -> Iterator[Finding]:
    """Every row has the same seeds, and shares seeds with the reference."""
    reference = context.table.comparators.reference.row
    used = sorted({seed for result in context.completed for seed in result.row.seeds})
    for result in context.completed:
        row, place = result.row, origin(context.runs_of(result)[-1])
        absent = [seed for seed in used if seed not in row.seeds]
        if row.seeds and not set(row.seeds) & set(reference.seeds):
            text = (
                f"{row.label} has no seed in common with {reference.label} ({listing(row.seeds)} and "
                f"{listing(reference.seeds)}): its interval is a bootstrap of whole runs, and nothing is decided"
            )
            yield Finding("missing", "not paired", text, with_seeds(place, reference.seeds))
        elif absent:
            text = f"{row.label}: no completed run with seed {listing(absent)}, which other rows have"
            yield Finding("missing", "equal seeds", text, with_seeds(place, absent))
