"""The table of a comparison: every setting with its row, and the trivial predictor."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mtlrun import statistics
from mtlrun.compare.analysis.cost import costs
from mtlrun.compare.analysis.delta_m import delta_m, set_delta_m
from mtlrun.compare.analysis.questions import under_fixed_weights
from mtlrun.compare.analysis.ranking import against_reference, agree, dominated, find_leader, mean_ranks
from mtlrun.compare.analysis.reference import Comparators, find_comparators
from mtlrun.compare.analysis.setting_result import (
    Criteria,
    SettingResult,
    estimates,
    measure,
    trivial_figures,
    whole_seeds,
)
from mtlrun.compare.collect.settings import Setting, Words
from mtlrun.compare.records import Finding, Row
from mtlrun.util.errors import listing


@dataclass(frozen=True)
class Ensemble:
    """The row of an ensemble, and the setting of its members, below which it is shown."""

    below: SettingResult
    row: Row


@dataclass(frozen=True)
class Table:
    """The settings with their rows, in the order of their first runs, and what they are compared with.

    leader: the setting with the lowest mean Δm; None if nothing leads
    trivial: the row of the trivial predictor; None if no run has its figures
    ensembles: with --ensemble, rows of ensembles, which are tested apart
    """

    criteria: Criteria
    results: Sequence[SettingResult]
    comparators: Comparators
    leader: SettingResult | None
    trivial: Row | None
    ensembles: list[Ensemble] = field(default_factory=list)

    @property
    def ordered(self) -> list[SettingResult]:
        """The settings in the order in which they are shown: by Δm, those without Δm last."""
        return sorted(self.results, key=lambda r: (r.delta_m is None, 0.0 if r.delta_m is None else r.delta_m.mean))

    @property
    def rows(self) -> list[Row]:
        """The rows in the order in which they are shown."""
        rows: list[Row] = []
        for result in self.ordered:
            rows += [result.row, *(ensemble.row for ensemble in self.ensembles if ensemble.below is result)]
        return rows + ([] if self.trivial is None else [self.trivial])

    @property
    def leader_label(self) -> str | None:
        """The label of the leader."""
        return None if self.leader is None else self.leader.label

    @property
    def tested(self) -> int:
        """The number of rows that are tested against the reference, at least 1."""
        return max(1, sum(result.row.against is not None for result in self.results))

    @property
    def seeds_needed(self) -> int:
        """The fewest seeds with which one of these rows can differ significantly from the reference."""
        return statistics.seeds_needed(self.tested)


def make_table(settings: Sequence[Setting], criteria: Criteria, reference: str | None) -> Table:
    """Computes figures, Δm and rows of the settings, with intervals over seeds only. reference: from --reference.

    Raises RequestError if no setting has figures of every task, and for an unknown reference.
    """
    results = [measure(setting, criteria) for setting in settings]
    comparators = find_comparators(results, reference)
    set_delta_m(results, comparators, criteria)
    leader = _set_rows(results, comparators, criteria)
    return Table(criteria, results, comparators, leader, _trivial_row(results, comparators, criteria))


def _set_rows(results: Sequence[SettingResult], comparators: Comparators, criteria: Criteria) -> SettingResult | None:
    """Sets the `row` of every setting, with intervals and verdicts over seeds. Returns the leader.

    If Δm is relative to single-task nets with the same number of training rows, nothing leads.
    """
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
            restarts=max((len(run.draws) for seed in setting.seeds for run in setting.of_seed(seed)), default=1),
            dominated=in_all_tasks.get(result),
            dominated_by_fixed=by_fixed.get(result),
        )
    agree(results, leader, comparators.reference)
    return leader


def _telling_words(setting: Setting, settings: Sequence[Setting]) -> Words:
    """The keys that distinguish any of the rows, with the values of this row."""
    keys = dict.fromkeys(key for s in settings for key in s.values)
    keys |= dict.fromkeys(k for k in ("loss", "model") if len({s.words.get(k) for s in settings}) > 1)
    return {key: setting.words[key] for key in keys if key in setting.words}


def _trivial_row(results: Sequence[SettingResult], comparators: Comparators, criteria: Criteria) -> Row | None:
    """The row of the predictor that knows no inputs; None if no run has its figures."""
    settings = [result.setting for result in (comparators.reference, *results)]
    figures = trivial_figures(settings, criteria)
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
    """Warnings for rows whose figures are the same for all of several seeds: they may not be different runs."""
    found = []
    for row in (result.row for result in results):
        same = [t for t, e in row.figures.items() if e.n > 1 and len(set(e.values.values())) == 1]
        if same:
            text = f"{row.label}: every seed has the same figure of {listing(same)}; tests on it mean nothing"
            found.append(Finding("warning", "no variance", text))
    return found
