"""`--ensemble`: rows for the mean prediction of the runs of a setting, beside the row of single runs.

Runs that differ in `model.restart` share the split of their seed. Each seed then has an ensemble, and the row is paired
with the reference by seed. Without restarts, all seeds of a setting that share one split are one ensemble. Runs with
different test rows have none.

The rows are computed from checkpoints, because a run does not know its ensemble when it ends, and the predictions of
every run would take more room than its checkpoint. They change nothing of other rows: Holm's adjustment counts only
ensembles, and none of them leads.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mtlrun.compare.analysis.comparison_table import Ensemble, Table
from mtlrun.compare.analysis.delta_m import delta_m, unpaired_difference
from mtlrun.compare.analysis.ranking import against_reference
from mtlrun.compare.analysis.setting_result import SettingResult, complete, estimates, whole_seeds
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.collect.settings import RESTART, Runs, Setting
from mtlrun.compare.collect.shell_commands import origin, with_values
from mtlrun.compare.records import Finding
from mtlrun.util.errors import RequestError, listing

Figure = Callable[[Sequence[RunRecord], str], Mapping[tuple[str, str], float]]
RESTARTS = "0,1,2,3"  # of the command that gives each seed an ensemble


@dataclass(frozen=True)
class Group:
    """A setting of single runs, and the members of its ensembles for each seed and task.

    seeds: seed -> task -> the runs. Of an ensemble of all seeds: only the first seed.
    """

    result: SettingResult
    seeds: Mapping[int, Mapping[str, Sequence[RunRecord]]]

    @property
    def size(self) -> int:
        """The number of runs in an ensemble."""
        return max((len(runs) for by_task in self.seeds.values() for runs in by_task.values()), default=0)

    @property
    def of_all_seeds(self) -> bool:
        """Whether all seeds are one ensemble."""
        return not _restarted(self.result.setting)


def add_ensembles(table: Table, findings: list[Finding]) -> None:
    """Adds the rows of ensembles to the table. Findings name the rows that have none, with the reason."""
    from mtlrun.compare.analysis.scores import ensemble_figures

    found: list[tuple[Group, SettingResult]] = []
    without: dict[str, list[str]] = {}
    for single in table.results:
        if not single.setting.runs:
            continue
        group = Group(single, _members(single.setting, table.criteria.inference.varies))
        why = _why_not(group, table)
        if not why:
            try:
                result = _result(group, table, ensemble_figures)
            except RequestError as error:
                why = str(error).splitlines()[0].removeprefix("--ensemble: ")
            else:
                why = "" if any(result.figures.values()) else "its types of tasks do not say what the mean gives"
                found += [] if why else [(group, result)]
        if why:
            without.setdefault(why, []).append(single.label)
    _set_rows(found, table)
    table.ensembles.extend(Ensemble(group.result, result.row) for group, result in found)
    findings += [_finding(why, labels, table) for why, labels in without.items()]


def _members(setting: Setting, varies: bool) -> dict[int, dict[str, list[RunRecord]]]:
    """The members by seed and task: all restarts of a seed, or all seeds of a setting whose split does not vary."""
    runs: Runs = setting.runs
    if _restarted(setting):
        return {seed: {task: [*run.draws] for task, run in by_task.items()} for seed, by_task in runs.items()}
    return {} if varies or len(runs) < 2 else {min(runs): _by_task([runs[seed] for seed in sorted(runs)])}


def _restarted(setting: Setting) -> bool:
    """Whether every seed has several restarts."""
    nets = [run for by_task in setting.runs.values() for run in by_task.values()]
    return bool(nets) and all(len(run.draws) > 1 for run in nets)


def _by_task(runs: Sequence[Mapping[str, RunRecord]]) -> dict[str, list[RunRecord]]:
    """Task -> its runs, for the tasks that all have."""
    return {task: [by_task[task] for by_task in runs] for task in runs[0] if all(task in by_task for by_task in runs)}


def _why_not(group: Group, table: Table) -> str:
    """Why there is no ensemble, or ""."""
    if group.result.setting.boosting:
        return "the checkpoint of boosting holds no trees"
    if group.seeds:
        return ""
    return "its runs have different test rows" if table.criteria.inference.varies else "a single run"


def _finding(why: str, labels: Sequence[str], table: Table) -> Finding:
    run = next(run for result in table.results if result.label == labels[0] for run in result.setting.members)
    command = with_values(origin(run), {RESTART: RESTARTS}) if "different test rows" in why else None
    how = "; several restarts of each seed share its split" if command else ""
    return Finding("warning", "ensembles", f"{listing(labels, 4)}: no ensemble, {why}{how}", command)


# ---------------------------------------------------------------- figures and rows


def _result(group: Group, table: Table, figures_of: Figure) -> SettingResult:
    """The ensemble as a setting with figures. Its `row` is not set yet."""
    criteria, first = table.criteria, group.result
    figures = {seed: dict(_of_seed(by_task, criteria.split, figures_of)) for seed, by_task in group.seeds.items()}
    setting = replace(first.setting, label=_label(group), tried={}, runs={}, failed=0, unfinished=0)
    result = SettingResult(setting, figures, complete(figures, criteria.columns))
    result.baseline = first.baseline
    if result.baseline is None:
        return result
    base = result.baseline.complete
    if group.of_all_seeds:  # one ensemble for all seeds of the baseline: no pairs, and no interval
        mean = unpaired_difference(result.complete, base, base, criteria.columns)
        result.delta_m = None if mean is None else replace(mean, low=None, high=None)
    else:
        result.delta_m, result.delta_m_metrics = delta_m(result.complete, base, criteria)
    return result


def _of_seed(
    by_task: Mapping[str, Sequence[RunRecord]], split: str, figures_of: Figure
) -> Iterator[tuple[tuple[str, str], float]]:
    """The figures of the ensembles of one seed: one for all tasks, or one for each task of single-task nets."""
    groups = {tuple(run.folder for run in runs): runs for runs in by_task.values()}
    for runs in groups.values():
        for (task, metric), value in figures_of(runs, split).items():
            if by_task.get(task) is not None and [*by_task[task]] == [*runs]:
                yield (task, metric), value


def _label(group: Group) -> str:
    """The label of the row of single runs, and the number of runs."""
    return f"{group.result.label}, ensemble of {group.size}"


def _set_rows(found: Sequence[tuple[Group, SettingResult]], table: Table) -> None:
    """Sets the rows of the ensembles, with tests of those that have seeds against the reference (Holm over them)."""
    criteria, comparators = table.criteria, table.comparators
    tested = against_reference([r for group, r in found if not group.of_all_seeds], comparators, criteria)
    for group, result in found:
        single = group.result.row
        untrained = single.untrained
        against = tested.get(result)
        if against is not None and (untrained or comparators.reference.row.untrained):
            against = replace(against, verdict="untrained")
        result.row = replace(
            single,
            label=result.label,
            seeds=() if group.of_all_seeds else whole_seeds(result.figures, criteria.columns),
            figures=estimates(result.figures, criteria),
            delta_m=result.delta_m,
            delta_m_metrics=result.delta_m_metrics,
            rank=None,
            against=against,
            like_leader=None,
            cost=None,
            parameters=None if single.parameters is None else group.size * single.parameters,
            failed=0,
            unfinished=0,
            dominated=None,
            dominated_by_fixed=None,
            untrained=untrained,
            ensemble=group.size,
        )
