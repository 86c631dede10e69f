"""Condition: there is a leader, and it can be distinguished from all other rows."""

from collections.abc import Iterator
from enum import Enum

from mtlrun.compare.analysis.conditions.context import Context
from mtlrun.compare.analysis.inference import paired_difference
from mtlrun.compare.collect.original_words import is_confirmation
from mtlrun.compare.collect.settings import TRAIN_ROWS
from mtlrun.compare.collect.shell_commands import origin
from mtlrun.compare.records import Finding, Row
from mtlrun.util.errors import listing


class Reason(Enum):
    """Why a row cannot be distinguished from the leader."""

    EQUIVALENT = "the difference is within the margin"
    LIMITED = "no number of seeds could show the difference, as their splits share rows"
    OPEN = "more seeds may show it"


def clear_leader(context: Context) -> Iterator[Finding]:
    """There is a leader, and every other row can be distinguished from it. Findings give the reason for other rows."""
    if context.leader is None:
        yield _nothing_leads(context)
        return
    leader = context.leader.row
    if any(result.row.untrained for result in context.results):  # longer training comes before further seeds
        return
    rows = _like_leader(context, leader)
    if not rows or context.fewest_seeds < context.table.seeds_needed:  # with fewer seeds, `enough_seeds` has a finding
        return
    reasons = {row.label: _reason(context, row, leader) for row in rows}
    equivalent, limited, undecided = (
        listing([label for label, own in reasons.items() if own is reason], 4) if reason in reasons.values() else ""
        for reason in Reason
    )
    if equivalent:
        text = f"{leader.label} is equivalent within {context.options.margin:g} % to {equivalent}"
        yield Finding("missing", "a clear leader", text)
    if limited:
        text = (
            f"{leader.label} cannot be told apart from {limited}, and no number of seeds would do it, because their "
            "splits share rows: use a table with more rows, or train all seeds on one split (data.split.seed=0), "
            "which answers for that split alone"
        )
        yield Finding("missing", "a clear leader", text)
    if undecided:
        yield from _more_seeds(context, f"{leader.label} cannot be told apart from {undecided}")


def _nothing_leads(context: Context) -> Finding:
    if len({result.row.settings.get(TRAIN_ROWS) for result in context.results}) > 1:
        text = f"rows of different {TRAIN_ROWS} have baselines of their own: nothing leads among them"
        return Finding("missing", "a leader", text)
    alone = len(context.results) == 1
    text = "a single setting" if alone else "no seeds that all settings share"
    return Finding("missing", "a leader", f"{text}: nothing leads")  # other findings have the commands


def _like_leader(context: Context, leader: Row) -> list[Row]:
    """The rows that cannot be distinguished from the leader, or for which this is unknown."""
    rows = [result.row for result in context.results if result.row is not leader]
    return [row for row in rows if row.like_leader or (row.like_leader is None and row.delta_m is not None)]


def _reason(context: Context, row: Row, leader: Row) -> Reason:
    differences = [*paired_difference(row.delta_m, leader.delta_m).values()]
    if not context.options.rows and context.table.criteria.inference.equivalent(differences, context.options.margin):
        return Reason.EQUIVALENT
    return Reason.LIMITED if context.table.criteria.inference.limited(differences) else Reason.OPEN


def _more_seeds(context: Context, text: str) -> Iterator[Finding]:
    """Findings that more seeds may resolve. For a confirmation it does not suggest more seeds.

    Adding seeds until the result pleases would invalidate the confirmation.
    """
    if any(is_confirmation(origin(run)) for run in context.collection.runs):
        text += ": the confirmation leaves it open, and training further ones until one pleases would undo it"
        yield Finding("missing", "a clear leader", text)
        return
    start = max(seed for result in context.results for seed in result.row.seeds) + 1
    seeds = range(start, start + context.fewest_seeds)
    yield from context.further_seeds("a clear leader", f"{text}: more seeds may decide it", seeds)
