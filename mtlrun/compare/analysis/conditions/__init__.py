"""The conditions for the word "best", and for each condition that fails a command that helps to meet it.

A condition is a function of the `Context` that yields findings. Its docstring states what must hold. With a finding of
kind "missing", the word best is not printed.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from mtlrun.compare.analysis.conditions.budgets import equal_budgets
from mtlrun.compare.analysis.conditions.choosing import fresh_seeds, test_figures, trivial_predictor
from mtlrun.compare.analysis.conditions.completeness import enough_seeds, equal_seeds, failed_runs, unfinished_runs
from mtlrun.compare.analysis.conditions.context import Context
from mtlrun.compare.analysis.conditions.leading import clear_leader
from mtlrun.compare.analysis.conditions.one_setting import one_setting_per_row
from mtlrun.compare.analysis.conditions.same_data import (
    committed_code,
    same_code,
    same_data,
    same_splits,
    same_versions,
)
from mtlrun.compare.analysis.conditions.standard_baselines import baselines
from mtlrun.compare.analysis.conditions.tried_as_rows import rates_as_rows, weights_as_rows
from mtlrun.compare.analysis.conditions.tried_values import (
    equal_trials,
    rates_tuned,
    trials_of_weights,
    values_at_the_edge,
)
from mtlrun.compare.records import Finding

CONDITIONS: tuple[Callable[[Context], Iterator[Finding]], ...] = (
    failed_runs,
    unfinished_runs,
    enough_seeds,
    equal_seeds,
    baselines,
    weights_as_rows,
    rates_as_rows,
    rates_tuned,
    equal_trials,
    trials_of_weights,
    values_at_the_edge,
    equal_budgets,
    one_setting_per_row,
    same_data,
    same_splits,
    same_versions,
    same_code,
    committed_code,
    test_figures,
    trivial_predictor,
    fresh_seeds,
    clear_leader,
)

UNFINISHED = "unfinished runs"
SUPPLIED = ("seeds", "baselines")  # what the runs that are not finished may supply


def conditions(context: Context) -> list[Finding]:
    """The findings of all conditions, in the order of `CONDITIONS`.

    If runs are not finished, the only command is the one that resumes them: they may supply the seeds and baselines.
    """
    findings = [finding for condition in CONDITIONS for finding in condition(context)]
    if not any(finding.condition == UNFINISHED for finding in findings):
        return findings
    kept = [finding for finding in findings if finding.condition not in SUPPLIED]
    return [f if f.condition == UNFINISHED else replace(f, command=None) for f in kept]
