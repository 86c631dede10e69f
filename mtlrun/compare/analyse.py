"""Makes a `Comparison` from runs. `analyse` lists the stages.

All formulas are in `statistics`. This package decides what is compared with what, seed by seed.
"""

from collections import Counter
from collections.abc import Sequence

from mtlrun.compare.analysis.answers import facts, find_answers
from mtlrun.compare.analysis.chosen_on_val import best_of_restarts, choose
from mtlrun.compare.analysis.comparison_table import Table, make_table, unvaried
from mtlrun.compare.analysis.conditions import conditions
from mtlrun.compare.analysis.conditions.context import Context
from mtlrun.compare.analysis.curves.last_evaluation import diagnostics, shares
from mtlrun.compare.analysis.curves.learning_speed import speeds
from mtlrun.compare.analysis.curves.metrics_files import read_curves
from mtlrun.compare.analysis.curves.over_steps import series
from mtlrun.compare.analysis.delta_m import gaps
from mtlrun.compare.analysis.ensembles import add_ensembles
from mtlrun.compare.analysis.inference import inference_of
from mtlrun.compare.analysis.input_importance import importances
from mtlrun.compare.analysis.not_trained import withhold
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.analysis.provenance import data_names, provenance
from mtlrun.compare.analysis.recommendation import recommend
from mtlrun.compare.analysis.rows import one_split_only, over_rows, refuse_varying
from mtlrun.compare.analysis.setting_result import Criteria
from mtlrun.compare.analysis.task_columns import find_columns
from mtlrun.compare.analysis.training_faults import training_faults
from mtlrun.compare.analysis.trends import trends
from mtlrun.compare.collect.fold import fold
from mtlrun.compare.collect.run_record import Collection, RunRecord
from mtlrun.compare.collect.settings import Setting, shared
from mtlrun.compare.records import Comparison, Finding, TaskColumn
from mtlrun.compare.report.wording import verdict
from mtlrun.util.errors import RequestError, listing, nearest
from mtlrun.util.shell import resume_command

SPLITS = ("test", "val")
DRAWN = 12  # largest number of rows with curves: more cannot be distinguished in a picture


def analyse(collection: Collection, options: Options) -> Comparison:
    """Compares the runs.

    Raises RequestError if no completed run has figures of a main task, and for options that name unknown things.
    """
    findings = list(collection.findings)
    completed = _completed(collection.runs, options.split)
    columns = find_columns(completed, options.metrics or {}, options.split, findings)
    settings, expected_best = _settings(collection.runs, columns, options, findings)
    criteria = Criteria(columns, options.split, options.margin, inference_of(completed))
    if options.rows and criteria.inference.varies:
        raise refuse_varying(len({run.split_seed for run in completed}))
    table = make_table(settings, criteria, options.reference)
    findings += gaps(table.results, table.comparators, columns)
    interval = _over_test_rows(table, collection, options, findings)
    findings += unvaried(table.results)
    doubts = withhold(table)
    if options.ensemble:
        add_ensembles(table, findings)

    tuned = options.tune or tuple(dict.fromkeys(k for s in settings for trial in s.before for k, _ in trial))
    answers = find_answers(table, options.rows, findings)
    asked = answers.asked(table.tested)
    missing = [*doubts.findings, *conditions(Context(collection, table, options, tuned, asked))]
    best = table.leader is not None and not any(finding.kind == "missing" for finding in missing)
    drawn = _drawn(table)
    curves = read_curves(drawn, findings)
    findings += training_faults(drawn, curves, columns)
    importance = importances(drawn, columns, criteria.inference, findings)
    return Comparison(
        title=", ".join(folder.resolve().name for folder in collection.folders),
        verdict=verdict(facts(answers, table, best, doubts.first)),
        recommendation=recommend(table, answers, collection, doubts.first, missing),
        columns=columns,
        rows=table.rows,
        reference=table.comparators.reference_label,
        baseline=table.comparators.baseline_label,
        split=options.split,
        margin=options.margin,
        split_varies=criteria.inference.varies,
        interval=interval,
        seeds_needed=table.seeds_needed,
        leader=table.leader_label,
        best=best,
        findings=[*findings, *missing],
        effects=answers.effects,
        series=[*series(drawn, curves, columns), *trends(table.results, criteria)],
        speeds=speeds(drawn, curves, table.comparators.reference.setting, columns),
        importances=importance,
        diagnostics=diagnostics(drawn, curves, criteria.inference),
        shares=shares(drawn, curves, criteria.inference),
        affinity=answers.affinity,
        asked=asked,
        expected_best=expected_best,
        tuned=tuned,
        shared=shared(settings),
        provenance=provenance(collection),
        remarks=collection.remarks,
        data=data_names(completed),
    )


def _over_test_rows(table: Table, collection: Collection, options: Options, findings: list[Finding]) -> str:
    """With --rows, widens the intervals of the table to cover other test rows. Returns how intervals are made."""
    inference = table.criteria.inference
    if options.rows:
        return over_rows(table, findings)
    if not inference.varies:
        findings.append(one_split_only(collection, table))
    return inference.interval


def _drawn(table: Table) -> list[Setting]:
    """The settings whose curves are drawn: the leader, the reference, the baseline, then the table from the top."""
    first = [table.leader, table.comparators.reference, table.comparators.baseline, *table.ordered]
    settings = [result.setting for result in dict.fromkeys(first) if result is not None]
    return [setting for setting in settings if setting.runs][:DRAWN]


# ---------------------------------------------------------------- runs and settings


def _completed(runs: Sequence[RunRecord], split: str) -> list[RunRecord]:
    """The completed runs. Raises RequestError if there are none, and for an unknown split."""
    if split not in SPLITS:
        raise RequestError(f"--split: found {split}{nearest(split, SPLITS)}\nallowed: {listing(SPLITS)}")
    completed = [run for run in runs if run.completed]
    if not completed:
        found = ", ".join(f"{n} {status}" for status, n in Counter(run.status for run in runs).items())
        raise RequestError(f"compare: no run is completed ({found})\n{_how_to_go_on(runs)}")
    return completed


def _how_to_go_on(runs: Sequence[RunRecord]) -> str:
    """Says what the user can do if no run is completed."""
    failed = next((run for run in runs if run.status == "failed"), None)
    left = dict.fromkeys(run.sweep or run.folder for run in runs if run.status == "unfinished")
    steps = [f"why is in {failed.folder}/run.log"] if failed is not None else []
    steps += [f"go on with: {'; '.join(resume_command(folder) for folder in left)}"] if left else []
    return "; ".join(steps)


def _settings(
    runs: Sequence[RunRecord], columns: Sequence[TaskColumn], options: Options, findings: list[Finding]
) -> tuple[list[Setting], dict[str, list[float]]]:
    """The settings that are compared, with --tune chosen on val; and label -> expected best skill of 1, 2, … trials."""
    tasks = [column.task for column in columns]
    settings, noticed = fold(runs, options.by, options.tune)
    findings += noticed
    expected_best = choose(settings, tasks, options.tune, findings)
    return best_of_restarts(settings, tasks), expected_best
