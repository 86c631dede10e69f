"""Rows whose nets were still improving when their training ended: no verdict on them is given."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mtlrun.compare.analysis.comparison_table import Table
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.collect.shell_commands import origin, with_values
from mtlrun.compare.records import Against, Finding
from mtlrun.results.training_length import longer
from mtlrun.util.errors import counted

LENGTHS = ("trainer.epochs", "trainer.max_steps")


@dataclass(frozen=True)
class NotTrained:
    """What is said of nets that were not trained to the end.

    first: the sentence above all others, with a command on a line of its own; "" if no row is concerned
    findings: a finding of kind "missing" if a row is concerned; else a warning if single runs are
    """

    first: str
    findings: Sequence[Finding]


def withhold(table: Table) -> NotTrained:
    """Marks the rows of which more than half of the runs were still improving, and takes back verdicts on them.

    A row is compared with the reference and the leader only if both are trained to the end. Rows that differ in the
    length of their training are left alone: it is what they compare.
    """
    results = table.results
    for result in results:
        runs = result.setting.members
        of_length = any(key in result.row.settings for key in LENGTHS)
        most = 2 * sum(run.still_improving for run in runs) > len(runs)
        result.row = replace(result.row, untrained=most and not of_length)
    reference, leader = table.comparators.reference, table.leader
    for result in results:
        row = result.row
        if row.against is not None and (row.untrained or reference.row.untrained):
            row = replace(row, against=_untold(row.against))
        if row.untrained or (leader is not None and leader.row.untrained):
            row = replace(row, like_leader=None)
        result.row = row
    return _said(table)


def _untold(against: Against) -> Against:
    """A comparison without its tests: they tell lengths of training apart, not settings."""
    no = math.nan
    known = replace(against, wins=no, wins_low=no, wins_high=no, p_permutation=no, p_t=no, p=no, p_holm=no)
    return replace(known, equivalent=False, verdict="untrained")


def _said(table: Table) -> NotTrained:
    nets = list({run.folder: run for r in table.results for run in r.setting.members if not run.boosting}.values())
    short = [run for run in nets if run.still_improving]
    if not short:
        return NotTrained("", ())
    were = "was" if len(short) == 1 else "were"
    text = f"{len(short)} of {counted(len(nets), 'net')} {were} still improving when they stopped"
    command = _longer(short)
    if not any(result.row.untrained for result in table.results):
        return NotTrained("", [Finding("warning", "trained to the end", text, command)])
    how = f"Train longer:\n{command}" if command else "Train longer (trainer.epochs)."
    first = f"{text}: this comparison says little of trained nets. {how}"
    return NotTrained(first, [Finding("missing", "trained to the end", f"{text}, see above")])


def _longer(short: Sequence[RunRecord]) -> str | None:
    """The command of the sweep with the most such runs, with a longer training; None if it is unknown."""
    places = [origin(run) for run in short]
    place = max(dict.fromkeys(places), key=places.count)
    run = max((run for run in short if origin(run) == place), key=lambda run: int(run.settings["trainer.epochs"]))
    values = longer(run.steps, int(run.settings["trainer.epochs"]), run.settings.get("trainer.max_steps"))
    return with_values(place, values)
