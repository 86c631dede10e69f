"""The record that the analysis fills for each setting, stage by stage, and what all stages share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mtlrun.compare.analysis.inference import Inference
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.collect.settings import Setting
from mtlrun.compare.records import Estimate, Row, TaskColumn

Figures = Mapping[int, Mapping[tuple[str, str], float]]  # seed -> (task, metric) -> value


@dataclass(frozen=True)
class Criteria:
    """By what settings are compared: tasks and metrics, the split whose figures count, intervals, and the margin in
    percent within which settings count as equivalent."""

    columns: Sequence[TaskColumn]
    split: str
    margin: float
    inference: Inference


@dataclass(eq=False)
class SettingResult:
    """A setting with its figures, and what later stages make of them. The stage that sets an attribute is named.

    figures: of every seed; complete: of the seeds with a primary figure of every task
    baseline: what its Δm is relative to (`find_comparators`); None where there are no single-task nets like it
    delta_m, delta_m_metrics: in percent, over seeds alone, whatever --rows adds to the row (`set_delta_m`)
    row: what is shown (`make_table`)
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
    """Figures of the predictor that knows no inputs, of the seeds with every task, from the first setting with them."""
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
    """Seed, task, metric, and the setting's run that is to have this figure."""
    for seed in setting.seeds:
        for column in columns:
            if (run := setting.runs[seed].get(column.task)) is not None:
                yield from ((seed, column.task, metric, run) for metric in column.metrics)


def whole_seeds(figures: Figures, columns: Sequence[TaskColumn]) -> tuple[int, ...]:
    """The seeds with a figure of each task that any of the seeds has a figure of."""
    known = {key for of_seed in figures.values() for key in of_seed} & {column.primary for column in columns}
    return tuple(sorted(seed for seed, of_seed in figures.items() if known and known <= of_seed.keys()))


def estimates(figures: Figures, criteria: Criteria) -> dict[str, Estimate]:
    """By task, mean and interval of its primary metric over the seeds that have it."""
    found = {}
    for column in criteria.columns:
        values = {seed: of_seed[column.primary] for seed, of_seed in figures.items() if column.primary in of_seed}
        if (estimate := criteria.inference.estimate(values)) is not None:
            found[column.task] = estimate
    return found
