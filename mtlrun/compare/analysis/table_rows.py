"""The rows of the table: every setting with its figures, and the trivial predictor."""

from collections.abc import Sequence

from mtlrun.compare.analysis.cost import costs
from mtlrun.compare.analysis.delta_m import delta_m
from mtlrun.compare.analysis.questions import under_fixed_weights
from mtlrun.compare.analysis.ranking import against_reference, dominated, find_leader, mean_ranks
from mtlrun.compare.analysis.reference import Comparators
from mtlrun.compare.analysis.setting_result import Criteria, SettingResult, estimates, trivial_figures, whole_seeds
from mtlrun.compare.collect.settings import Setting, Words
from mtlrun.compare.records import Finding, Row
from mtlrun.util.errors import listing


def set_rows(results: Sequence[SettingResult], comparators: Comparators, criteria: Criteria) -> SettingResult | None:
    """Sets the `row` of every setting, with intervals and verdicts over seeds. Returns the setting that leads; where
    Δm is relative to single-task nets of as many rows, none does."""
    against = against_reference(results, comparators, criteria)
    leader, like_leader = (None, {}) if comparators.by_rows else find_leader(results, criteria.inference)
    ranks, in_all_tasks = mean_ranks(results, criteria.columns), dominated(results, criteria.columns)
    by_fixed = under_fixed_weights(results, criteria)
    settings = [result.setting for result in results]
    for result, cost in zip(results, costs(results, comparators.plain), strict=True):
        setting = result.setting
        result.row = Row(
            label=setting.label,
            kind=setting.kind,
            settings=_telling_words(setting, settings),
            seeds=whole_seeds(result.figures, criteria.columns),
            figures=estimates(result.figures, criteria),
            delta_m=result.delta_m,
            delta_m_metrics=result.delta_m_metrics,
            rank=ranks.get(result),
            against=against.get(result),
            like_leader=like_leader.get(result),
            cost=cost,
            parameters=setting.parameters,
            trials=setting.trials,
            chosen=setting.chosen,
            failed=setting.failed,
            unfinished=setting.unfinished,
            runs=tuple(str(run.folder) for run in setting.members),
            dominated=in_all_tasks.get(result),
            dominated_by_fixed=by_fixed.get(result),
        )
    return leader


def _telling_words(setting: Setting, settings: Sequence[Setting]) -> Words:
    """What tells a row from the others: the keys that tell any of them apart, with this row's values."""
    keys = dict.fromkeys(key for s in settings for key in s.values)
    keys |= dict.fromkeys(k for k in ("loss", "model") if len({s.words.get(k) for s in settings}) > 1)
    return {key: setting.words[key] for key in keys if key in setting.words}


def trivial_row(results: Sequence[SettingResult], comparators: Comparators, criteria: Criteria) -> Row | None:
    """The row of the predictor that knows no inputs; None where no run has its figures."""
    settings = [result.setting for result in (comparators.reference, *results)]
    figures = trivial_figures(settings, criteria.columns, criteria.split)
    if not figures:
        return None
    return Row(
        "trivial",
        "trivial",
        {},
        tuple(sorted(figures)),
        estimates(figures, criteria),
        *delta_m(figures, comparators.baseline.complete, criteria),
        rank=None,
        against=None,
        like_leader=None,
        cost=None,
    )


def unvaried(results: Sequence[SettingResult]) -> list[Finding]:
    """Rows of several seeds whose figures are all the same: are they different runs at all?"""
    found = []
    for row in (result.row for result in results):
        same = [t for t, e in row.figures.items() if e.n > 1 and len(set(e.values.values())) == 1]
        if same:
            text = f"{row.label}: every seed has the same figure of {listing(same)}; tests on it mean nothing"
            found.append(Finding("warning", "no variance", text))
    return found
