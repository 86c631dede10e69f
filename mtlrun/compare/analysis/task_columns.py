"""The columns of a comparison: its tasks and metrics."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set

from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.records import Finding, TaskColumn
from mtlrun.tasks import INTERVALS, higher_is_better, inferred_primaries, known_metrics
from mtlrun.util.errors import RequestError, listing, nearest


def find_columns(
    runs: Sequence[RunRecord], asked: Mapping[str, tuple[str, ...]], split: str, findings: list[Finding]
) -> list[TaskColumn]:
    """Columns for the tasks that are main in every run that trains them, and for those that `--metric` names.

    asked: task -> metrics, from `--metric`. Raises RequestError if no task has a figure, and for an unknown task or
    metric in `--metric`.
    """
    columns = []
    for task in _tasks(runs, asked, findings):
        column = _column(task, [run for run in runs if task in run.roles], asked.get(task, ()), split, findings)
        if column is not None:
            columns.append(column)
    if not columns:
        raise RequestError(
            f"compare: no run has figures of a main task on {split}\nallowed: runs that completed; see their run.log"
        )
    return columns


def _tasks(runs: Sequence[RunRecord], asked: Mapping[str, tuple[str, ...]], findings: list[Finding]) -> list[str]:
    """The tasks that get a column. Raises RequestError if `--metric` names a task that no run has."""
    roles: dict[str, set[str]] = {}
    for run in runs:
        for task, role in run.roles.items():
            roles.setdefault(task, set()).add(role)
    tasks = [task for task, known in roles.items() if known == {"main"} or task in asked]
    for task, known in roles.items():
        if "main" in known and task not in tasks:
            text = f"{task} is main in some runs and {listing(sorted(known - {'main'}))} in others: it has no column"
            findings.append(Finding("warning", "different roles", text))
    for task in asked:
        if task not in roles:
            raise RequestError(f"--metric: no task is named {task}{nearest(task, roles)}\nallowed: {listing(roles)}")
    return tasks


def _column(
    task: str, runs: Sequence[RunRecord], asked: tuple[str, ...], split: str, findings: list[Finding]
) -> TaskColumn | None:
    """The column of a task; None, with a finding, if no run has figures of it."""
    prefix = f"{split}/{task}/"
    known = [(run.name, {k[len(prefix) :] for k in run.figures if k.startswith(prefix)}) for run in runs]
    every = set().union(*(metrics for _, metrics in known)) - {"loss"}
    if not every:
        findings.append(Finding("warning", "no figures", f"{task}: no run has figures on {split}; left out"))
        return None
    metrics = asked or (_primary(task, runs, every, split, findings),)
    for metric in metrics:
        findings += _unknown_to(metric, task, split, known)
        if metric == "coverage_90":
            text = f"{task}: the aim is .9, not more, so Δm and verdicts mean nothing; interval_score_90 has an order"
            findings.append(Finding("warning", "coverage has no better end", text))
    unit = next((run.units[task] for run in runs if task in run.units), "")
    return TaskColumn(task, metrics[0], higher_is_better(metrics[0]), _unit(unit, metrics[0]), tuple(metrics))


def _primary(task: str, runs: Sequence[RunRecord], every: Set[str], split: str, findings: list[Finding]) -> str:
    """The primary metric that most runs name, or another one if no run has figures of it.

    every: the metrics with figures. Notes in a finding that runs name different ones, or that another one is shown.
    """
    named = Counter(run.primaries[task] for run in runs if task in run.primaries)
    wanted = [metric for metric, _ in named.most_common()] or inferred_primaries()
    other = min(every - INTERVALS.keys() or every)
    primary = next((metric for metric in [*wanted, *inferred_primaries()] if metric in every), other)
    if len(named) > 1:
        few = named.most_common()[-1][0]
        unlike = next(run.name for run in runs if run.primaries.get(task) == few)
        text = f"{task}: {listing(wanted)} ({few} in {unlike}); {primary} is shown, --metric {task}=... chooses"
        findings.append(Finding("warning", "different primary metrics", text))
    elif named and primary not in named:
        text = f"{task}: no run has {wanted[0]} on {split}; {primary} is shown, --metric {task}=... chooses"
        findings.append(Finding("warning", "no figures", text))
    return primary


def _unknown_to(metric: str, task: str, split: str, known: Sequence[tuple[str, set[str]]]) -> Iterator[Finding]:
    """A finding on the runs that lack a metric. known: (name of a run, its metrics).

    Raises RequestError if all runs lack it.
    """
    without = [name for name, metrics in known if metric not in metrics]
    if len(without) == len(known) or metric == "loss":
        every = set().union(*(metrics for _, metrics in known)) - {"loss"}
        raise RequestError(
            f"--metric: no run has {metric or 'a metric'} of {task} on {split}"
            f"{nearest(metric, every)}\nallowed: {listing(sorted(every))}"
        )
    if without:
        text = f"{metric} of {task} on {split}: {listing(without, 3)}"
        yield Finding("warning", "a metric is unknown to a run", text)


def _unit(unit: str, metric: str) -> str:
    """The unit of a metric for a target with this unit: squared for mse, "" for shares."""
    known = known_metrics()
    power = known[metric].unit_power if unit and metric in known else 0
    return ["", unit, f"{unit}²"][power]
