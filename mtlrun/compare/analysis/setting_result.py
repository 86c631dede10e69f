"""The record that the analysis fills for each setting, stage by stage, and the criteria that all stages share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mtlrun.compare.analysis.inference import Inference
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.collect.settings import Setting
from mtlrun.compare.records import Estimate, Row, TaskColumn
from mtlrun.tasks import metric_bounds

Figures = Mapping[int, Mapping[tuple[str, str], float]]  # seed -> (task, metric) -> value


@dataclass(frozen=True)
class Criteria:
    """The criteria of a comparison.

    columns: tasks and metrics. split: the split whose figures count. margin: percent within which settings count as
    equivalent. inference: how intervals and p values are made.
    """

    columns: Sequence[TaskColumn]
    split: str
    margin: float
    inference: Inference


@dataclass(eq=False)
class SettingResult:
    """A setting with its figures and the results of later stages. The function in parentheses sets the attribute.

    figures: of every seed
    complete: of the seeds with a primary figure of every task
    baseline: what its Δm is relative to (`find_comparators`); None if there are no matching single-task nets
    delta_m, delta_m_metrics: in percent, over seeds only, even with --rows (`set_delta_m`)
    row: the row that is shown (`make_table`)
    """

    setting: Setting
    figures: Figures
    complete: Figures
    baseline: "SettingResult | None" = None
    delta_m: Estimate | None = None
    delta_m_metrics: Estimate | None = None
    row: Row = field(init=False, repr=False)

    @property
    def label(self) -> str:
        """The label of its row."""
        return self.setting.label


def measure(setting: Setting, criteria: Criteria) -> SettingResult:
    """A setting with the figures of its runs."""
    columns, split = criteria.columns, criteria.split
    figures: dict[int, dict[tuple[str, str], float]] = {}
    for seed, task, metric, run in _cells(setting, columns):
        if (value := run.figures.get(f"{split}/{task}/{metric}")) is not None:
            figures.setdefault(seed, {})[task, metric] = value
    return SettingResult(setting, figures, complete(figures, columns))


def trivial_figures(settings: Sequence[Setting], criteria: Criteria) -> Figures:
    """Figures of the predictor that knows no inputs, for seeds with every task, from the first setting with them."""
    columns, split = criteria.columns, criteria.split
    figures: dict[int, dict[tuple[str, str], float]] = {}
    for setting in settings:
        for seed, task, metric, run in _cells(setting, columns):
            if (value := run.trivial.get(f"{split}/{task}/{metric}")) is not None:
                figures.setdefault(seed, {}).setdefault((task, metric), value)
    return complete(figures, columns)


def complete(figures: Figures, columns: Sequence[TaskColumn]) -> Figures:
    """The figures of the seeds with a primary figure of every task."""
    return {seed: of_seed for seed, of_seed in figures.items() if all(column.primary in of_seed for column in columns)}


def _cells(setting: Setting, columns: Sequence[TaskColumn]) -> Iterator[tuple[int, str, str, RunRecord]]:
    """Yields seed, task, metric, and the run of the setting that should have this figure."""
    for seed in setting.seeds:
        for column in columns:
            if (run := setting.runs[seed].get(column.task)) is not None:
                yield from ((seed, column.task, metric, run) for metric in column.metrics)


def whole_seeds(figures: Figures, columns: Sequence[TaskColumn]) -> tuple[int, ...]:
    """The seeds that have a figure of every task for which any seed has one."""
    known = {key for of_seed in figures.values() for key in of_seed} & {column.primary for column in columns}
    return tuple(sorted(seed for seed, of_seed in figures.items() if known and known <= of_seed.keys()))


def estimates(figures: Figures, criteria: Criteria) -> dict[str, Estimate]:
    """Task -> mean and interval of its primary metric over the seeds that have it."""
    found = {}
    for column in criteria.columns:
        values = {seed: of_seed[column.primary] for seed, of_seed in figures.items() if column.primary in of_seed}
        if (estimate := criteria.inference.estimate(values, metric_bounds(column.metric))) is not None:
            found[column.task] = estimate
    return found
