"""`--rows`: intervals and verdicts that cover other test rows as well as other seeds, for a fixed split.

The selected checkpoint of every run predicts the test rows again. Test rows and seeds are drawn independently. For each
draw of rows, the metrics of all runs are computed on the same rows. The interval that is shown is the wider of this
bootstrap interval and the t interval over seeds. A difference counts as better, worse or equivalent only if both agree.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis.comparison_table import Table
from mtlrun.compare.analysis.delta_m import relative_drops
from mtlrun.compare.analysis.inference import LEVEL
from mtlrun.compare.analysis.ranking import agree
from mtlrun.compare.analysis.reproduction import reproduced
from mtlrun.compare.analysis.setting_result import Criteria, SettingResult
from mtlrun.compare.collect.run_record import Collection, RunRecord
from mtlrun.compare.records import TEST_ROWS, Against, Estimate, Finding, Row, TaskColumn
from mtlrun.statistics.arrays import Floats
from mtlrun.util.errors import RequestError
from mtlrun.util.shell import compare_command

if TYPE_CHECKING:
    from mtlrun.compare.analysis.scores import RunScores

DRAWS, FEWEST = 1000, 200
CELLS = 1 << 28  # draws × rows: 1 GiB of memory
Drawn = Mapping[int, Mapping[tuple[str, str], Floats]]  # seed -> (task, metric) -> [1 + D], first the original rows


def one_split_only(collection: Collection, table: Table) -> Finding:
    """The warning that intervals do not cover other test rows, for a fixed split without --rows.

    It has the command with --rows only if that can widen an interval: there are several seeds, and the test rows of the
    reference and the baselines can be scored.
    """
    text = "all runs share one split: intervals and verdicts hold for other seeds, not for other test rows"
    compared = [table.comparators.reference, *(result.baseline for result in table.results if result.baseline)]
    possible = not any(result.setting.boosting for result in compared)
    several = any(len(result.row.seeds) > 1 for result in table.results)
    return Finding(
        "warning", TEST_ROWS, text, compare_command(collection.folders, "--rows") if possible and several else None
    )


def refuse_varying(seeds: int) -> RequestError:
    """The error for --rows if the split varies with the seed. seeds: the number of splits."""
    return RequestError(
        f"--rows: the split varies ({seeds} splits), so that intervals cover other rows already\n"
        "allowed: runs of one split (data.split.seed=0); else leave --rows out"
    )


@dataclass(eq=False)
class Resampled:
    """A setting over draws of the test rows.

    metrics: empty if the setting cannot be scored, for the reason `problem`
    drops: seed -> Δm per task and Δm per metric, each `[1 + D]`; empty if it or its baseline cannot be scored
    """

    result: SettingResult
    metrics: Drawn
    problem: str = ""
    drops: Mapping[int, tuple[Floats, Floats]] = field(default_factory=dict)

    @property
    def per_task(self) -> dict[int, Floats]:
        """Seed -> Δm per task `[1 + D]`."""
        return {seed: per_task for seed, (per_task, _) in self.drops.items()}


def over_rows(table: Table, findings: list[Finding]) -> str:
    """Gives the rows of `table` wider intervals and more cautious verdicts. Returns in words how intervals are made.

    Rows without checkpoints (boosting) stay unchanged and are named in a finding. Takes up to 1 GiB, and about a tenth
    of a second per run and 10,000 test rows.

    Raises RequestError if a baseline or the reference cannot be scored, or if runs do not share the rows.
    """
    from mtlrun.compare.analysis.scores import score

    draws, columns = RowDraws(score, table.criteria), table.criteria.columns
    resampled = {result: _resample(result, draws) for result in table.results}
    finding = _not_scored([*resampled.values()])
    findings += [] if finding is None else [finding]
    _refuse_unscored(table, resampled)
    for sample in resampled.values():
        if sample.metrics and sample.result.baseline is not None:
            sample.drops = _drops(sample.metrics, resampled[sample.result.baseline].metrics, columns)
            sample.result.row = _widened(sample, columns)
    reference = resampled[table.comparators.reference]
    _set_verdicts([*resampled.values()], reference.per_task, table.criteria.margin)
    if table.leader is not None:
        others = [sample for result, sample in resampled.items() if result is not table.leader]
        _set_like_leader(others, resampled[table.leader].per_task)
        agree(table.results, table.leader, table.comparators.reference)
    bootstrap = f"a bootstrap of seeds and {len(draws.rows):,} rows ({draws.draws:,} draws)"
    alone = "trivial and boosting" if any(r.setting.boosting for r in table.results) else "trivial"
    return (
        f"over seeds and test rows, the wider of t(n−1)·s/√n over seeds and of {bootstrap}; {alone}: over seeds alone"
    )


def _refuse_unscored(table: Table, resampled: Mapping[SettingResult, Resampled]) -> None:
    """Raises RequestError if a baseline or the reference cannot be scored."""
    baselines = [(result.baseline, "a baseline") for result in table.results if result.baseline is not None]
    for result, what in [*baselines, (table.comparators.reference, "the reference")]:
        if not resampled[result].metrics:
            raise RequestError(
                f"--rows: {resampled[result].problem or f'{result.label} has no completed run'}\n"
                f"{result.label} is {what}, so its test rows must be scored; that needs checkpoints/best.pt of its "
                "runs and their table. Name another row with --reference"
            )


# ---------------------------------------------------------------- scores of rows


class NotScored(Exception):
    """The metrics of a setting on drawn rows cannot be computed. The message gives the reason."""


class RowDraws:
    """The test rows that all runs share, and draws of them. The first scored run defines the rows.

    rows: row numbers in the table `[N]`
    counts: how often each row is drawn `[1 + D, N]`; the first line is the original rows
    """

    def __init__(self, score: Callable[[Path, str, str | None], "RunScores"], criteria: Criteria) -> None:
        self.score = score
        self.columns, self.split = criteria.columns, criteria.split
        self.rows = np.empty(0, np.int64)
        self.counts = np.empty((0, 0), np.float32)

    @property
    def draws(self) -> int:
        """The number D of draws."""
        return max(0, len(self.counts) - 1)

    def metrics(self, run: RunRecord) -> dict[tuple[str, str], Floats]:
        """The metrics of a run over the draws, each `[1 + D]`; of several restarts their means.

        Raises NotScored if the run cannot be scored or does not reproduce the recorded figures, and RequestError if it
        was evaluated on other rows than earlier runs.
        """
        each = [self._of_one(draw) for draw in run.draws]
        common = [key for key in each[0] if all(key in own for own in each)]
        return {key: np.mean([own[key] for own in each], axis=0) for key in common}

    def _of_one(self, run: RunRecord) -> dict[tuple[str, str], Floats]:
        try:
            scores = self.score(run.folder, self.split, run.data_hash)
        except RequestError as error:
            raise NotScored(str(error).splitlines()[0]) from error
        if not len(self.counts):
            self.rows, self.counts = scores.rows, _counts(scores.rows, scores.groups)
        if not np.array_equal(self.rows, scores.rows):
            raise RequestError(
                f"--rows: {run.name} was evaluated on other rows than runs before it\n"
                "allowed: runs of one table and one split"
            )
        known = [
            key
            for column in self.columns
            if column.task in scores.tasks and column.task in run.tasks
            for key in column.keys
        ]
        recorded = {key: value for key in known if (value := run.figures.get("/".join((self.split, *key)))) is not None}
        values = statistics.over_draws(self.counts, [(scores.tasks[task], metric) for task, metric in recorded])
        for ((task, metric), figure), value in zip(recorded.items(), values[0], strict=True):
            if not reproduced(metric, value, figure):
                raise NotScored(f"{run.name}: its checkpoint gives {metric} of {task} {value:.4g}, not {figure:.4g}")
        return dict(zip(recorded, values.T, strict=True))


def _resample(result: SettingResult, draws: RowDraws) -> Resampled:
    """The metrics of the runs of a setting over the draws."""
    if result.setting.boosting:
        return Resampled(result, {}, "the checkpoint of boosting holds no trees")
    metrics: dict[int, dict[tuple[str, str], Floats]] = {}
    try:
        for seed in result.setting.seeds:
            for run in result.setting.of_seed(seed):
                if drawn := draws.metrics(run):
                    metrics.setdefault(seed, {}).update(drawn)
    except NotScored as problem:
        return Resampled(result, {}, str(problem))
    return Resampled(result, metrics)


def _not_scored(resampled: Sequence[Resampled]) -> Finding | None:
    """A finding on the settings that cannot be scored, with reasons; None if there are none."""
    without = [f"{sample.result.label}: {sample.problem}" for sample in resampled if sample.problem]
    if not without:
        return None
    shown = "; ".join(without[:4]) + (f"; and {len(without) - 4} more" if len(without) > 4 else "")
    return Finding(
        "warning",
        "rows not scored",
        f"these intervals and verdicts cover other seeds, but not other test rows: {shown}",
    )


def _counts(rows: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """The counts of 1,000 draws, or fewer for very many rows. Raises RequestError if fewer than 200 fit into 1 GiB."""
    draws = min(DRAWS, CELLS // len(rows))
    if draws < FEWEST:
        raise RequestError(
            f"--rows: {len(rows):,} test rows are too many to be drawn again and again\n"
            f"allowed: at most {CELLS // FEWEST:,}; the luck of more is next to nothing"
        )
    return statistics.row_draws(len(rows), draws, groups=groups)


# ---------------------------------------------------------------- intervals and verdicts


def _drops(metrics: Drawn, base: Drawn, columns: Sequence[TaskColumn]) -> dict[int, tuple[Floats, Floats]]:
    """Seed -> Δm per task and Δm per metric `[1 + D]`, for seeds in which both sides have every task."""
    found = {}
    for seed in metrics.keys() & base.keys():
        tasks = {task for task, _ in metrics[seed]} & {task for task, _ in base[seed]}
        if all(column.task in tasks for column in columns):
            drops = [relative_drops(_stacked(metrics[seed], c), _stacked(base[seed], c), c) for c in columns]
            found[seed] = statistics.delta_m_per_task(drops), statistics.delta_m_per_metric(drops)
    return found


def _stacked(metrics: Mapping[tuple[str, str], Floats], column: TaskColumn) -> Floats:
    """The metrics `[1 + D, J]` of a task, NaN for unknown ones."""
    nan = np.full(len(next(iter(metrics.values()))), np.nan)
    return np.stack([metrics.get(key, nan) for key in column.keys], -1)


def _over_seeds(values: Mapping[int, Floats], seeds: Sequence[int]) -> Floats | None:
    """Means over drawn seeds `[D]`; None if a seed has no values or there are fewer than two seeds."""
    if len(seeds) < 2 or not all(seed in values for seed in seeds):
        return None
    return statistics.seed_draws(np.stack([values[seed][1:] for seed in seeds], 1))


def _widened(sample: Resampled, columns: Sequence[TaskColumn]) -> Row:
    """The row of the setting with wider intervals."""
    row = sample.result.row
    figures = dict(row.figures)
    for column in columns:
        values = {
            seed: metrics[column.primary] for seed, metrics in sample.metrics.items() if column.primary in metrics
        }
        if column.task in figures:
            figures[column.task] = _wider(figures[column.task], values)
    return replace(
        row,
        figures=figures,
        delta_m=row.delta_m and _wider(row.delta_m, sample.per_task),
        delta_m_metrics=row.delta_m_metrics
        and _wider(row.delta_m_metrics, {s: d for s, (_, d) in sample.drops.items()}),
    )


def _wider(estimate: Estimate, values: Mapping[int, Floats]) -> Estimate:
    """The estimate with the wider of both intervals at each end. For one seed, without an interval, it is unchanged."""
    drawn = _over_seeds(values, [*estimate.values])
    if drawn is None or estimate.low is None or estimate.high is None:
        return estimate
    low, high = statistics.percentiles(drawn)
    return replace(estimate, low=float(np.fmin(low, estimate.low)), high=float(np.fmax(high, estimate.high)))


def _set_verdicts(resampled: Sequence[Resampled], reference: Mapping[int, Floats], margin: float) -> None:
    """Tests the rows against the reference again. p is the greater of p over seeds and p over rows and seeds.

    reference: seed -> its Δm per task `[1 + D]`
    """
    held = {
        sample.result: _more_careful(against, sample.per_task, reference, margin)
        for sample in resampled
        if (against := sample.result.row.against) is not None and against.difference.values  # else not paired
    }
    adjusted = statistics.holm([against.p for against in held.values()]) if held else ()
    for (result, against), p_holm in zip(held.items(), map(float, adjusted), strict=True):
        word = statistics.verdict(against.difference.mean, p_holm, against.equivalent, LEVEL)
        result.row = replace(result.row, against=replace(against, p_holm=p_holm, verdict=word))


def _more_careful(
    against: Against, drops: Mapping[int, Floats], reference: Mapping[int, Floats], margin: float
) -> Against:
    """The test over rows and seeds, without Holm's adjustment; unchanged if draws are missing for a seed."""
    seeds = [*against.difference.values]
    differences = {seed: drops[seed] - reference[seed] for seed in seeds if seed in drops and seed in reference}
    drawn = _over_seeds(differences, seeds)
    if drawn is None:
        return against
    low, high = statistics.percentiles(drawn, 1 - 2 * LEVEL)
    return replace(
        against,
        difference=_wider(against.difference, differences),
        p=max(against.p, statistics.drawn_p(drawn)),
        equivalent=against.equivalent and -margin < low and high < margin,
    )


def _set_like_leader(others: Sequence[Resampled], leader: Mapping[int, Floats]) -> None:
    """Marks further rows as like the leader: those that might beat it on other test rows (Holm over all of them).

    leader: seed -> its Δm per task `[1 + D]`
    """
    p = {}
    for sample in others:
        seeds = sorted(sample.per_task.keys() & leader.keys())
        drawn = _over_seeds({seed: sample.per_task[seed] - leader[seed] for seed in seeds}, seeds)
        if drawn is not None and sample.result.row.like_leader is not None:
            p[sample.result] = statistics.drawn_p(drawn)
    adjusted = statistics.holm([*p.values()]) if p else ()
    for result, p_holm in zip(p, adjusted, strict=True):
        result.row = replace(result.row, like_leader=bool(result.row.like_leader or p_holm > LEVEL))
