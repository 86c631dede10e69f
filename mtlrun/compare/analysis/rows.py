"""`--rows`: intervals and verdicts that speak of other test rows as well as of other seeds, where the split is fixed.

Every run's selected checkpoint predicts the test rows again; of each draw of rows all metrics are computed anew, for
all runs on the same rows, and seeds are drawn beside them. An interval that is shown is the wider of that bootstrap's
and of the t interval over seeds; a difference counts as better, worse or equivalent only where both say so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis.inference import LEVEL
from mtlrun.compare.collect.folders import Collection, RunRecord
from mtlrun.compare.collect.settings import Setting
from mtlrun.compare.collect.shell_commands import compare_command
from mtlrun.compare.records import Against, Estimate, Finding, Row, TaskColumn
from mtlrun.statistics import delta_m_per_metric, delta_m_per_task
from mtlrun.statistics.arrays import Floats
from mtlrun.tasks import higher_is_better
from mtlrun.util.errors import RequestError

DRAWS, FEWEST = 1000, 200
CELLS = 1 << 28  # draws × rows: 1 GiB of memory
TOLERANCE = 2e-3  # by which a figure may differ from the recorded one: other hardware, sums in float32
Drawn = Mapping[int, Mapping[tuple[str, str], Floats]]  # seed -> (task, metric) -> [1 + D], the data as they are first


def one_split_only(collection: Collection) -> Finding:
    """What intervals leave out where the split is fixed and rows are not resampled."""
    text = (
        "all runs share one split: intervals and verdicts speak of other seeds on these very test rows, not of others"
    )
    return Finding("warning", "test rows", text, compare_command(collection.folders, "--rows"))


def refuse_varying(seeds: int) -> RequestError:
    """The answer to --rows where seeds have splits of their own."""
    return RequestError(
        f"--rows: the split varies ({seeds} splits), so that intervals speak of other rows already\n"
        "allowed: runs of one split (data.split.seed=0); else leave --rows out"
    )


def over_rows(
    rows: Sequence[Row],
    settings: Sequence[Setting],
    columns: Sequence[TaskColumn],
    split: str,
    margin: float,
    bases: Sequence[int | None],
    reference: int,
    leader: int | None,
    findings: list[Finding],
) -> tuple[list[Row], str]:
    """The rows with wider intervals and more careful verdicts, and in words how their intervals are made.

    `rows` are those of `settings`, in the same order; `bases` (what the Δm of each is relative to), reference and
    leader are places among them. Rows without checkpoints (boosting) stay as they are, and are named in a finding.
    Takes up to 1 GiB and about a tenth of a second per run and 10,000 test rows.

    Raises RequestError where the baseline or the reference cannot be scored, or runs do not share the rows.
    """
    drawn, count, draws = _drawn(settings, columns, split, findings)
    needed = [(base, "a baseline") for base in dict.fromkeys(bases) if base is not None]
    for place, what in [*needed, (reference, "the reference")]:
        if drawn[place] is None:
            name, why = settings[place].label, findings[-1].text if findings else "no run"
            raise RequestError(
                f"--rows: {name} is {what} and cannot be scored by rows ({why})\n"
                "allowed: runs with checkpoints/best.pt and their table"
            )
    zeros = [None if base is None else drawn[base] for base in bases]
    drops = [
        None if own is None or zero is None else _drops(own, zero, columns)
        for own, zero in zip(drawn, zeros, strict=True)
    ]
    found = []
    for row, own, drop in zip(rows, drawn, drops, strict=True):
        if own is None or drop is None:
            found.append(row)
            continue
        figures = dict(row.figures)
        for column in columns:
            key = column.task, column.metric
            wide = _wider(row.figures.get(column.task), {seed: f[key] for seed, f in own.items() if key in f})
            if wide is not None:
                figures[column.task] = wide
        found.append(
            replace(
                row,
                figures=figures,
                delta_m=_wider(row.delta_m, {s: d[0] for s, d in drop.items()}),
                delta_m_metrics=_wider(row.delta_m_metrics, {s: d[1] for s, d in drop.items()}),
            )
        )
    of_task = [None if drop is None else {s: d[0] for s, d in drop.items()} for drop in drops]
    found = _verdicts(found, of_task, reference, margin)
    found = _like_leader(found, of_task, leader)
    text = f"the wider of t(n−1)·s/√n over seeds and of a bootstrap of seeds and {count:,} rows ({draws:,} draws)"
    alone = "trivial and boosting" if any(s.kind == "boosting" for s in settings) else "trivial"
    return found, f"over seeds and test rows, {text}; {alone}: over seeds alone"


# ---------------------------------------------------------------- scores of rows


def _drawn(
    settings: Sequence[Setting], columns: Sequence[TaskColumn], split: str, findings: list[Finding]
) -> tuple[list[Drawn | None], int, int]:
    """Of every row its metrics over the draws, None where they cannot be had; how many rows and draws there are."""
    from mtlrun.compare.analysis.scores import RunScores, score

    first: RunScores | None = None
    counts = np.empty((0, 0), np.float32)
    found: list[Drawn | None] = []
    without: list[str] = []
    for setting in settings:
        own: dict[int, dict[tuple[str, str], Floats]] = {}
        problem = "trees are not in its checkpoint" if setting.kind == "boosting" else ""
        for run in [] if problem else setting.members:
            try:
                scores = score(run.folder, split, run.data_hash)
            except RequestError as error:
                problem = str(error).splitlines()[0]
                break
            if first is None:
                first, counts = scores, _counts(scores.rows, scores.groups)
            if not np.array_equal(first.rows, scores.rows):
                raise RequestError(
                    f"--rows: {run.name} was evaluated on other rows than runs before it\n"
                    "allowed: runs of one table and one split"
                )
            keys = [
                (c.task, m)
                for c in columns
                if c.task in scores.tasks and c.task in run.tasks
                for m in c.metrics
                if f"{split}/{c.task}/{m}" in run.figures
            ]
            values = statistics.over_draws(counts, [(scores.tasks[task], metric) for task, metric in keys])
            if problem := _differs(run, split, keys, values[0]):
                break
            for (task, metric), column in zip(keys, values.T, strict=True):
                own.setdefault(run.seed, {})[task, metric] = column
        found.append(own if own and not problem else None)
        if problem:
            without.append(f"{setting.label}: {problem}")
    if without:
        shown = "; ".join(without[:4]) + (f"; and {len(without) - 4} more" if len(without) > 4 else "")
        text = f"intervals over seeds alone, and no word on other rows: {shown}"
        findings.append(Finding("warning", "rows not scored", text))
    return found, 0 if first is None else len(first.rows), max(0, len(counts) - 1)


def _counts(rows: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """1,000 draws, fewer of very many rows. Raises RequestError where not even 200 fit into 1 GiB."""
    draws = min(DRAWS, CELLS // len(rows))
    if draws < FEWEST:
        raise RequestError(
            f"--rows: {len(rows):,} test rows are too many to be drawn again and again\n"
            f"allowed: at most {CELLS // FEWEST:,}; the luck of more is next to nothing"
        )
    return statistics.row_draws(len(rows), draws, groups=groups)


def _differs(run: RunRecord, split: str, keys: Sequence[tuple[str, str]], values: Floats) -> str:
    """Where a checkpoint does not give the figure that the run recorded, which; else an empty string."""
    for (task, metric), value in zip(keys, values, strict=True):
        recorded = run.figures[f"{split}/{task}/{metric}"]
        if not np.isclose(value, recorded, rtol=TOLERANCE, atol=TOLERANCE if higher_is_better(metric) else 0):
            return f"{run.name}: its checkpoint gives {metric} of {task} {value:.4g}, not {recorded:.4g}"
    return ""


# ---------------------------------------------------------------- intervals and verdicts


def _drops(own: Drawn, base: Drawn, columns: Sequence[TaskColumn]) -> dict[int, tuple[Floats, Floats]]:
    """Δm per task and per metric `[1 + D]` of each seed that the baseline has too, with every task."""
    keys = [(c.task, m) for c in columns for m in c.metrics]
    found = {}
    for seed in own.keys() & base.keys():
        if not all(c.task in {t for t, _ in f} for f in (own[seed], base[seed]) for c in columns):
            continue
        nan = np.full(len(next(iter(own[seed].values()))), np.nan)
        drop = {
            key: statistics.relative_drop(own[seed].get(key, nan), base[seed].get(key, nan), higher_is_better(key[1]))
            for key in keys
        }
        arrays = [np.stack([drop[c.task, m] for m in c.metrics], -1) for c in columns]
        found[seed] = delta_m_per_task(arrays), delta_m_per_metric(arrays)
    return found


def _over_seeds(values: Mapping[int, Floats], seeds: Sequence[int]) -> Floats | None:
    """Means over drawn seeds `[D]`; None unless every seed has values, and there are two at least."""
    if len(seeds) < 2 or not all(seed in values for seed in seeds):
        return None
    return statistics.seed_draws(np.stack([values[seed][1:] for seed in seeds], 1))


def _wider(estimate: Estimate | None, values: Mapping[int, Floats]) -> Estimate | None:
    """The estimate with the wider interval at each end; as it is for one seed, which has none."""
    drawn = None if estimate is None else _over_seeds(values, [*estimate.values])
    if estimate is None or drawn is None or estimate.low is None or estimate.high is None:
        return estimate
    low, high = statistics.percentiles(drawn)
    return replace(estimate, low=float(np.fmin(low, estimate.low)), high=float(np.fmax(high, estimate.high)))


def _verdicts(
    rows: Sequence[Row], drops: Sequence[Mapping[int, Floats] | None], reference: int, margin: float
) -> list[Row]:
    """The rows against the reference: p is the greater of that over seeds and that over rows and seeds."""
    base = drops[reference]
    assert base is not None, "over_rows() has looked"
    held: dict[int, Against] = {}
    for i, row in enumerate(rows):
        if row.against is None or not row.against.difference.values:  # not paired: nothing to adjust
            continue
        held[i] = row.against
        own, seeds = drops[i], [*row.against.difference.values]
        if own is None or not all(seed in own and seed in base for seed in seeds):
            continue
        differences = {seed: own[seed] - base[seed] for seed in seeds}
        drawn = _over_seeds(differences, seeds)
        if drawn is None:
            continue
        wide = _wider(row.against.difference, differences)
        assert wide is not None, "it was none before"
        low, high = statistics.percentiles(drawn, 1 - 2 * LEVEL)
        inside = row.against.equivalent and -margin < low and high < margin
        p = max(row.against.p, statistics.drawn_p(drawn))
        held[i] = replace(row.against, difference=wide, p=p, equivalent=inside)
    adjusted = dict(zip(held, statistics.holm([against.p for against in held.values()]), strict=True)) if held else {}
    found = list(rows)
    for i, against in held.items():
        p_holm = float(adjusted[i])
        word = statistics.verdict(against.difference.mean, p_holm, against.equivalent, LEVEL)
        found[i] = replace(rows[i], against=replace(against, p_holm=p_holm, verdict=word))
    return found


def _like_leader(rows: list[Row], drops: Sequence[Mapping[int, Floats] | None], leader: int | None) -> list[Row]:
    """The rows, with those marked as well that other test rows might put before the leader (Holm over all of them)."""
    best = None if leader is None else drops[leader]
    if best is None:
        return rows
    p = {}
    for i, own in enumerate(drops):
        if i == leader or own is None or rows[i].like_leader is None:
            continue
        seeds = sorted(own.keys() & best.keys())
        drawn = _over_seeds({seed: own[seed] - best[seed] for seed in seeds}, seeds)
        if drawn is not None:
            p[i] = statistics.drawn_p(drawn)
    found = list(rows)
    for i, adjusted in zip(p, statistics.holm([*p.values()]) if p else (), strict=True):
        found[i] = replace(rows[i], like_leader=bool(rows[i].like_leader or adjusted > LEVEL))
    return found
