"""Rows whose nets are not trained to the end, which get no verdict, and rows below the trivial predictor."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mtlrun.compare.analysis.comparison_table import Table
from mtlrun.compare.analysis.setting_result import SettingResult
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.collect.shell_commands import origin, with_values
from mtlrun.compare.records import Against, Finding
from mtlrun.storage.training_end import below_words, longer, stalled_advice, untrained_words
from mtlrun.util.errors import counted

LENGTHS = ("trainer.epochs", "trainer.max_steps")


@dataclass(frozen=True)
class Doubts:
    """What is said of nets that nobody should conclude from.

    first: the sentences above all others, with a command on a line of its own; none if no row is concerned
    findings: a finding of kind "missing" if a row is concerned; else a warning if single runs are
    """

    first: Sequence[str]
    findings: Sequence[Finding]


def withhold(table: Table) -> Doubts:
    """Marks the rows of which more than half of the runs are untrained, and takes back verdicts on them.

    A row is compared with the reference and the leader only if both are trained to the end. Rows that differ in the
    length of their training are left alone: it is what they compare.
    """
    results = table.results
    for result in results:
        runs = result.setting.members
        of_length = any(key in result.row.settings for key in LENGTHS)
        most = 2 * sum(run.end.untrained for run in runs) > len(runs)
        result.row = replace(result.row, untrained=most and not of_length)
    reference, leader = table.comparators.reference, table.leader
    for result in results:
        row = result.row
        if row.against is not None and (row.untrained or reference.row.untrained):
            row = replace(row, against=_untold(row.against))
        if row.untrained or (leader is not None and leader.row.untrained):
            row = replace(row, like_leader=None)
        result.row = row
    untrained, below = _untrained(table), _below(table)
    findings = [*untrained.findings, *_stalled(table), *below.findings]
    return Doubts([*untrained.first, *below.first], findings)


def _untold(against: Against) -> Against:
    """A comparison without its tests: they tell lengths of training apart, not settings."""
    no = math.nan
    known = replace(against, wins=no, wins_low=no, wins_high=no, p_permutation=no, p_t=no, p=no, p_holm=no)
    return replace(known, equivalent=False, verdict="untrained")


def _untrained(table: Table) -> Doubts:
    nets = [run for run in _runs(table.results) if not run.boosting]
    short = [run for run in nets if run.end.untrained]
    if not short:
        return Doubts((), ())
    text = untrained_words([run.end for run in nets])
    command = _longer(short)
    if not any(result.row.untrained for result in table.results):
        return Doubts((), [Finding("warning", "trained to the end", text, command)])
    how = f"Train longer:\n{command}" if command else "Train longer (trainer.epochs)."
    first = f"{text}: this comparison says little of trained nets. {how}"
    return Doubts([first], [Finding("missing", "trained to the end", f"{text}, see above")])


def _stalled(table: Table) -> list[Finding]:
    """A warning of nets that were best on val at the beginning."""
    nets = [run for run in _runs(table.results) if not run.boosting]
    stalled = [run for run in nets if run.end.stalled]
    if not stalled:
        return []
    models = [{key.removeprefix("model.") for key in run.settings} for run in stalled]
    of = f"{len(stalled)} of {counted(len(nets), 'net')}"
    text = f"val was best at the first evaluations of {of}; {stalled_advice(models)}"
    return [Finding("warning", "best at the beginning", text)]


def _below(table: Table) -> Doubts:
    """What is said of runs below the trivial predictor on val: before all else, if more than half of a row are."""
    ends = [run.end for run in _runs(table.results)]
    if not (texts := below_words(ends)):
        return Doubts((), ())
    (text,) = texts
    rows = [result for result in table.results if _mostly_below(result)]
    if not rows:
        return Doubts(
            (), [Finding("warning", "below the trivial predictor", text.removeprefix("below the trivial predictor "))]
        )
    of_leader = table.leader in rows
    sentence = f"{text[0].upper()}{text[1:]}."
    return Doubts([sentence], [Finding("missing", "above the trivial predictor", f"{text}, see above")] * of_leader)


def _mostly_below(result: SettingResult) -> bool:
    runs = result.setting.members
    return any(
        2 * sum(task in run.end.below for run in runs) > sum(task in run.tasks for run in runs)
        for task in {task for run in runs for task in run.end.below}
    )


def _runs(results: Sequence[SettingResult]) -> list[RunRecord]:
    """The runs of all rows, each once."""
    return list({run.folder: run for result in results for run in result.setting.members}.values())


def _longer(short: Sequence[RunRecord]) -> str | None:
    """The command of the sweep with the most such runs, with a longer training; None if it is unknown."""
    places = [origin(run) for run in short]
    place = max(dict.fromkeys(places), key=places.count)
    run = max((run for run in short if origin(run) == place), key=lambda run: run.steps)
    trainer = {key: run.settings.get(f"trainer.{key}") for key in ("epochs", "max_steps", "patience")}
    return with_values(place, longer(trainer, run.steps, run.length))
