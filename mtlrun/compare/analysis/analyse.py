"""From runs to a `Comparison`: columns, baseline and reference, and every figure of every row.

All formulas are in `statistics`; what is decided here is what is held against what, seed by seed.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis import questions
from mtlrun.compare.analysis.chosen_on_val import best_of_restarts, choose
from mtlrun.compare.analysis.conditions import Asked, conditions
from mtlrun.compare.analysis.cost import costs
from mtlrun.compare.analysis.curves import (
    affinity,
    diagnostics,
    importances,
    read_curves,
    series,
    shares,
    speeds,
    trends,
)
from mtlrun.compare.analysis.effects import contrasts, effects, main
from mtlrun.compare.analysis.inference import LEVEL, Inference
from mtlrun.compare.analysis.questions import less, unpaired
from mtlrun.compare.analysis.reference import Figures, baselines_by_rows, find_baseline, find_reference, plain_sum
from mtlrun.compare.analysis.rows import one_split_only, over_rows, refuse_varying
from mtlrun.compare.collect.folders import Collection, RunRecord
from mtlrun.compare.collect.settings import TRAIN_ROWS, Setting, Words, fold, shared
from mtlrun.compare.collect.shell_commands import quoted
from mtlrun.compare.records import Against, Comparison, Effect, Estimate, Finding, Row, TaskColumn
from mtlrun.compare.report.wording import Facts, verdict
from mtlrun.compose.plans.affinity import PAIRS
from mtlrun.tasks import higher_is_better, inferred_primaries, known_metrics
from mtlrun.util.errors import RequestError, listing, nearest

SPLITS = ("test", "val")
DRAWN = 12  # rows whose curves are shown: more cannot be told apart in a picture
SAME_ROWS = f"alone with the same {TRAIN_ROWS}"  # what Δm is relative to in a learning curve


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    by, tune: keys or prefixes of keys; reference: a label, or settings as they are typed
    metrics: task -> metrics, the first stands in the table; margin: percent
    """

    by: tuple[str, ...] = ()
    reference: str | None = None
    metrics: Mapping[str, tuple[str, ...]] | None = None
    split: str = "test"
    margin: float = 1.0
    tune: tuple[str, ...] = ()
    rows: bool = False  # whether intervals speak of other test rows too


def analyse(collection: Collection, options: Options) -> Comparison:
    """The comparison of the runs.

    Raises RequestError where nothing can be compared (no completed run with figures of a main task), and for
    options that name what is not there.
    """
    runs = collection.runs
    completed = [run for run in runs if run.status == "completed"]
    if options.split not in SPLITS:
        close = nearest(options.split, SPLITS)
        raise RequestError(f"--split: found {options.split}{close}\nallowed: {listing(SPLITS)}")
    if not completed:
        found = ", ".join(f"{n} {status}" for status, n in Counter(run.status for run in runs).items())
        raise RequestError(f"compare: no run is completed ({found})\n{_how_to_go_on(runs)}")
    findings = list(collection.findings)
    columns = _columns(completed, options, findings)
    settings, odd = fold(runs, options.by, options.tune)
    findings += odd
    tasks = [column.task for column in columns]
    expected = choose(settings, tasks, options.tune, findings)
    settings = best_of_restarts(settings, tasks)
    inference, over = _tests(completed), None
    if options.rows and inference.varies:
        raise refuse_varying(len({run.split_seed for run in completed}))
    figures = [_figures(setting, columns, options.split) for setting in settings]
    complete = [{s: f for s, f in own.items() if all((c.task, c.metric) in f for c in columns)} for own in figures]
    plain = plain_sum(settings, complete)
    reference = find_reference(settings, complete, plain, options.reference)
    base = find_baseline(settings, complete, reference)
    bases = baselines_by_rows(settings, complete, base)
    by_rows = len(set(bases)) > 1
    trivial = _trivial([settings[reference], *settings], columns, options.split)
    drops = [
        {} if at is None else _drops(own, complete[at], columns)
        for own, at in zip([*complete, trivial], [*bases, base], strict=True)
    ]
    per_task = [inference.estimate({s: d[0] for s, d in own.items()}) for own in drops]
    per_metric = [inference.estimate({s: d[1] for s, d in own.items()}) for own in drops]
    findings += _gaps(settings, figures, complete, columns, bases, base)
    trivial_drop, trivial_metrics = per_task.pop(), per_metric.pop()
    tested = [i != reference and not (by_rows and i in bases) for i in range(len(settings))]
    against = _against(settings, per_task, complete, columns, reference, base, tested, inference, options.margin)
    for i, own in enumerate(complete):  # shares no seed with the baseline
        if per_task[i] is None and bases[i] is not None and not own.keys() & complete[base].keys():
            per_task[i] = unpaired(own, complete[base], complete[base], columns)
    leader, like = (None, [None] * len(settings)) if by_rows else _leader(per_task, inference)
    places, dominated = _ranks(complete, columns), _dominated(complete, columns)
    spent = costs(settings, plain)
    under = questions.under_fixed_weights(settings, columns, options.split)
    rows = [
        Row(
            label=setting.label,
            kind=setting.kind,
            settings=_told_by(setting, settings),
            seeds=_whole(figures[i], columns),
            figures=_estimates(figures[i], columns, inference),
            delta_m=per_task[i],
            delta_m_metrics=per_metric[i],
            rank=places[i],
            against=against[i],
            like_leader=like[i],
            cost=spent[i],
            parameters=setting.parameters,
            trials=setting.trials,
            chosen=setting.chosen,
            failed=setting.failed,
            unfinished=setting.unfinished,
            runs=tuple(str(run.folder) for run in setting.members),
            dominated=dominated[i],
            dominated_by_fixed=under[i],
        )
        for i, setting in enumerate(settings)
    ]
    if options.rows:
        rows, over = over_rows(
            rows, settings, columns, options.split, options.margin, bases, reference, leader, findings
        )
    elif not inference.varies:
        findings.append(one_split_only(collection))
    findings += _unvaried(rows)
    against = [row.against for row in rows]
    family = sum(held is not None for held in against)
    needed = statistics.seeds_needed(max(1, family))
    order = sorted(range(len(rows)), key=lambda i: (rows[i].delta_m is None, m.mean if (m := per_task[i]) else 0.0))
    tuned = options.tune or tuple(dict.fromkeys(k for s in settings for trial in s.before for k, _ in trial))
    asked = Asked(options.tune, tuned, options.by, options.split, options.margin, options.rows)
    missing = conditions(collection, settings, rows, reference, leader, needed, asked, bool(trivial), inference)
    named = None if leader is None else settings[leader].label
    best = leader is not None and not any(finding.kind == "missing" for finding in missing)
    pairs = affinity(settings, settings[base], columns, options.split, inference, findings)
    arms = contrasts(settings, per_task, inference, options.margin)
    grid = [] if arms is not None or by_rows else effects(settings, per_task, reference, inference, options.margin)
    if over is not None and (arms is not None or grid or by_rows):
        text = "contrasts, effects and learning curves in words speak of other seeds on these test rows"
        findings.append(Finding("warning", "test rows", text))
    wanted = arms.effects if arms is not None else main(grid)
    said = verdict(
        Facts(
            [rows[i] for i in order],
            rows[reference],
            named,
            best,
            options.margin,
            *_seeds(against, rows, wanted, needed),
            contrasts=arms,
            effects=grid,
            together=questions.together(
                settings, complete, per_task, against, reference, plain, columns, inference, options.margin
            ),
            curve=questions.curve(settings, per_task, bases, inference, options.margin) if by_rows else {},
            pairs={} if pairs is None else questions.pairs(pairs, inference, options.margin),
            boosting=questions.boosting(settings, per_task, inference, options.margin),
        )
    )
    table = [rows[i] for i in order]
    if trivial:
        table.append(
            Row(
                "trivial",
                "trivial",
                {},
                tuple(sorted(trivial)),
                _estimates(trivial, columns, inference),
                trivial_drop,
                trivial_metrics,
                None,
                None,
                None,
                None,
            )
        )
    first = [i for i in dict.fromkeys([leader, reference, base, *order]) if i is not None]
    drawn = [settings[i] for i in first if settings[i].runs][:DRAWN]
    curves = read_curves(drawn, findings)
    inputs = importances(drawn, columns, inference, findings)
    return Comparison(
        title=", ".join(folder.resolve().name for folder in collection.folders),
        verdict=said,
        columns=columns,
        rows=table,
        reference=SAME_ROWS if by_rows and reference in bases else settings[reference].label,
        baseline=SAME_ROWS if by_rows else settings[base].label,
        split=options.split,
        margin=options.margin,
        split_varies=inference.varies,
        interval=over or inference.interval,
        seeds_needed=needed,
        leader=named,
        best=best,
        findings=[*findings, *missing],
        effects=arms.effects if arms is not None else grid,
        series=[*series(drawn, curves, columns), *trends(settings, figures, columns, inference)],
        speeds=speeds(drawn, curves, settings[reference], columns),
        importances=inputs,
        diagnostics=diagnostics(drawn, curves, inference),
        shares=shares(drawn, curves, inference),
        affinity=pairs,
        expected_best=expected,
        tuned=tuned,
        shared=shared(settings),
        provenance=_provenance(collection),
    )


def _how_to_go_on(runs: Sequence[RunRecord]) -> str:
    """What helps runs of which none is completed."""
    failed = next((run for run in runs if run.status == "failed"), None)
    left = dict.fromkeys(run.sweep or run.folder for run in runs if run.status == "unfinished")
    said = [f"why is in {failed.folder}/run.log"] if failed is not None else []
    said += [f"go on with: {'; '.join(f'mtlrun resume {quoted(folder)}' for folder in left)}"] if left else []
    return "; ".join(said)


# ---------------------------------------------------------------- columns and figures


def _columns(runs: Sequence[RunRecord], options: Options, findings: list[Finding]) -> list[TaskColumn]:
    """The tasks that are main in every run that trains them, and those that `--metric` names, with their metrics.

    Raises RequestError where there are none with a figure, and for `--metric` of what is not there.
    """
    roles: dict[str, set[str]] = {}
    for run in runs:
        for task, role in run.roles.items():
            roles.setdefault(task, set()).add(role)
    wanted = dict(options.metrics or {})
    main = [task for task, own in roles.items() if own == {"main"} or task in wanted]
    for task, had in roles.items():
        if "main" in had and task not in main:
            text = f"{task} is main in some runs and {listing(sorted(had - {'main'}))} in others: it has no column"
            findings.append(Finding("warning", "different roles", text))
    for task in wanted:
        if task not in roles:
            raise RequestError(f"--metric: no task is named {task}{nearest(task, roles)}\nallowed: {listing(roles)}")
    columns = []
    for task in main:
        own = [run for run in runs if task in run.roles]
        prefix = f"{options.split}/{task}/"
        known = [{k[len(prefix) :] for k in run.figures if k.startswith(prefix)} for run in own]
        every = set().union(*known) - {"loss"}
        if not every:
            text = f"{task}: no run has figures on {options.split}; left out"
            findings.append(Finding("warning", "no figures", text))
            continue
        primaries = list(dict.fromkeys(run.primaries[task] for run in own if task in run.primaries))
        if len(primaries) > 1:
            findings.append(
                Finding(
                    "warning",
                    "different primary metrics",
                    f"{task}: {listing(primaries)}; {primaries[0]} is shown, --metric {task}=... chooses",
                )
            )
        own_metric = primaries[0] if primaries else next((m for m in inferred_primaries() if m in every), "")
        metrics = wanted.get(task) or (own_metric,)
        for metric in metrics:
            if metric not in every:
                raise RequestError(
                    f"--metric: no run has {metric or 'a metric'} of {task} on {options.split}"
                    f"{nearest(metric, every)}\nallowed: {listing(sorted(every))}"
                )
            without = [run.name for run, has in zip(own, known, strict=True) if metric not in has]
            if without:
                findings.append(
                    Finding(
                        "warning",
                        "a metric is unknown to a run",
                        f"{metric} of {task} on {options.split}: {listing(without, 3)}",
                    )
                )
        units = [run.units[task] for run in own if task in run.units]
        unit = _unit(units[0], metrics[0]) if units else ""
        columns.append(TaskColumn(task, metrics[0], higher_is_better(metrics[0]), unit, tuple(metrics)))
    if not columns:
        raise RequestError(
            f"compare: no run has figures of a main task on {options.split}\n"
            "allowed: runs that completed; see their run.log"
        )
    return columns


def _unit(unit: str, metric: str) -> str:
    """The unit of a metric of a target with this unit: squared for mse, none for shares."""
    known = known_metrics()
    power = known[metric].unit_power if metric in known else 0
    return ["", unit, f"{unit}²"][power]


def _figures(setting: Setting, columns: Sequence[TaskColumn], split: str) -> Figures:
    """What a row's runs have of the columns' metrics, by seed."""
    found: dict[int, dict[tuple[str, str], float]] = {}
    for seed, task, metric, run in _cells(setting, columns):
        if (value := run.figures.get(f"{split}/{task}/{metric}")) is not None:
            found.setdefault(seed, {})[task, metric] = value
    return found


def _cells(setting: Setting, columns: Sequence[TaskColumn]) -> Iterator[tuple[int, str, str, RunRecord]]:
    """Seed, task, metric, and the row's run that is to have this figure."""
    for seed in setting.seeds:
        for column in columns:
            if (run := setting.runs[seed].get(column.task)) is not None:
                yield from ((seed, column.task, metric, run) for metric in column.metrics)


def _whole(figures: Figures, columns: Sequence[TaskColumn]) -> tuple[int, ...]:
    """The seeds with a figure of each task that the row has a figure of."""
    primary = {(column.task, column.metric) for column in columns}
    every = {key for own in figures.values() for key in own} & primary
    return tuple(sorted(seed for seed, own in figures.items() if every and every <= own.keys()))


def _trivial(settings: Sequence[Setting], columns: Sequence[TaskColumn], split: str) -> Figures:
    """Figures of the predictor that knows no inputs, by seed, from the first row that has them."""
    found: dict[int, dict[tuple[str, str], float]] = {}
    for setting in settings:
        for seed, task, metric, run in _cells(setting, columns):
            if (value := run.trivial.get(f"{split}/{task}/{metric}")) is not None:
                found.setdefault(seed, {}).setdefault((task, metric), value)
    return {s: own for s, own in found.items() if all((c.task, c.metric) in own for c in columns)}


def _estimates(figures: Figures, columns: Sequence[TaskColumn], inference: Inference) -> dict[str, Estimate]:
    found = {}
    for column in columns:
        key = column.task, column.metric
        estimate = inference.estimate({seed: own[key] for seed, own in figures.items() if key in own})
        if estimate is not None:
            found[column.task] = estimate
    return found


# ---------------------------------------------------------------- what is held against what


def _tests(runs: Sequence[RunRecord]) -> Inference:
    """Whether seeds have splits of their own, and the ratio of test to train rows in that case.

    Where a split leaves rows of the table out, those count as train: two random splits then share fewer rows, and
    in the formula's derivation it is the shared ones that make figures depend on each other.
    """
    given = any(f"data.split.{key}" in run.settings for run in runs for key in ("column", "files.test"))
    if given or len({run.split_seed for run in runs}) == 1:
        return Inference(False, None)
    ratios = []
    for run in runs:
        if {"table", "val", "test"} <= set(run.rows):
            whole, val, test = (float(run.rows[part]) for part in ("table", "val", "test"))
        else:
            whole, val, test = 1.0, *(float(run.settings.get(f"data.split.{part}", 0.15)) for part in ("val", "test"))
        rest = whole - val - test
        ratios.append(test / rest if rest > 0 else 1.0)
    return Inference(True, float(np.mean(ratios)))


def _drops(own: Figures, base: Figures, columns: Sequence[TaskColumn]) -> dict[int, tuple[float, float]]:
    """Δm per task and per metric of each seed that the baseline has too; without seeds where it is not defined."""
    seeds = sorted(own.keys() & base.keys())
    if not seeds:
        return {}
    arrays = []
    for column in columns:
        pair = [
            np.array([[f[s].get((column.task, m), np.nan) for m in column.metrics] for s in seeds]) for f in (own, base)
        ]
        arrays.append(statistics.relative_drop(pair[0], pair[1], [higher_is_better(m) for m in column.metrics]))
    task, metric = statistics.delta_m_per_task(arrays), statistics.delta_m_per_metric(arrays)
    return {s: (float(a), float(b)) for s, a, b in zip(seeds, task, metric, strict=True) if np.isfinite(a)}


def _gaps(
    settings: Sequence[Setting],
    figures: Sequence[Figures],
    complete: Sequence[Figures],
    columns: Sequence[TaskColumn],
    bases: Sequence[int | None],
    base: int,
) -> list[Finding]:
    """Where a row has no Δm, or not of every seed, and where a drop is not defined."""
    found = []
    name = settings[base].label
    for setting, own, whole, at in zip(settings, figures, complete, bases, strict=True):
        without = [c.task for c in columns if not any((c.task, c.metric) in f for f in own.values())]
        if setting.arm == PAIRS and not set(without) & {task for run in setting.members for task in run.tasks}:
            continue  # it trains two tasks, and is read against each alone
        if own and without:
            text = f"{setting.label}: no figures of {listing(without)}, and so no Δm"
            found.append(Finding("warning", "missing cells", text))
            continue
        partial = sorted(own.keys() - whole.keys())
        if at is None:
            text = f"{setting.label}: no single-task nets with its {TRAIN_ROWS}, and so no Δm"
            found.append(Finding("warning", "missing pairs", text))
            continue
        apart = sorted(whole.keys() - complete[at].keys())
        if partial:
            text = f"{setting.label}: not every task has a figure with seed {listing(partial)}: no Δm of those"
            found.append(Finding("warning", "missing cells", text))
        if apart and len(apart) < len(whole):
            text = f"{setting.label}: {settings[at].label} has no run with seed {listing(apart)}: no Δm of those"
            found.append(Finding("warning", "missing pairs", text))
    for column in columns:
        for metric in column.metrics:
            pairs = [(s, own[column.task, metric]) for s, own in complete[base].items() if (column.task, metric) in own]
            zero = [s for s, v in pairs if np.isnan(statistics.relative_drop(v, v, higher_is_better(metric)))]
            if zero:
                text = f"{metric} of {column.task} is next to 0 for {name}, seed {listing(zero)}: left out of Δm"
                found.append(Finding("warning", "a baseline of 0", text))
    return found


def _against(
    settings: Sequence[Setting],
    per_task: Sequence[Estimate | None],
    complete: Sequence[Figures],
    columns: Sequence[TaskColumn],
    reference: int,
    base: int,
    tested: Sequence[bool],
    inference: Inference,
    margin: float,
) -> list[Against | None]:
    """Every row that is to be `tested` against the reference, with Holm's adjustment over all of them.

    A row that shares no seed with the reference has the interval of an unpaired difference, and nothing is decided.
    """
    found: list[Against | None] = [None] * len(per_task)
    differences = [less(own, per_task[reference]) if tested[i] else {} for i, own in enumerate(per_task)]
    held = [i for i, own in enumerate(differences) if own]
    p = {i: inference.p([*differences[i].values()]) for i in held}
    for i, p_holm in zip(held, statistics.holm([p[i][2] for i in held]), strict=True):
        values = [*differences[i].values()]
        estimate = inference.estimate(differences[i])
        assert estimate is not None, "there are values"
        equivalent = inference.equivalent(values, margin)
        word = statistics.verdict(estimate.mean, float(p_holm), equivalent, LEVEL)
        found[i] = Against(estimate, *statistics.wins(values), *p[i], float(p_holm), equivalent, word)
    for i, own in enumerate(complete):
        if tested[i] and own and not own.keys() & complete[reference].keys():
            estimate = unpaired(own, complete[reference], complete[base], columns)
            if estimate is not None:
                nan = math.nan
                found[i] = Against(estimate, nan, nan, nan, nan, nan, nan, nan, False, "undecided")
    return found


def _leader(per_task: Sequence[Estimate | None], inference: Inference) -> tuple[int | None, list[bool | None]]:
    """The row with the lowest mean Δm, and which rows cannot be told apart from it (Holm over all of them).

    On the seeds that all rows share; rows with less than half of the most seeds are left out of both.
    """
    like: list[bool | None] = [None] * len(per_task)
    most = max((own.n for own in per_task if own), default=0)
    rows = {i: own.values for i, own in enumerate(per_task) if own and 2 * own.n >= most}
    seeds = sorted(set.intersection(*(set(own) for own in rows.values()))) if rows else []
    if not seeds or len(rows) < 2:
        return None, like
    leader = min(rows, key=lambda i: float(np.mean([rows[i][s] for s in seeds])))
    others = [i for i in rows if i != leader]
    if len(seeds) > 1:
        p = [inference.p([rows[i][s] - rows[leader][s] for s in seeds])[2] for i in others]
        for i, adjusted in zip(others, statistics.holm(p), strict=True):
            like[i] = bool(adjusted > LEVEL)
    return leader, like


def _ranks(complete: Sequence[Figures], columns: Sequence[TaskColumn]) -> list[float | None]:
    """Mean rank over tasks, averaged over the seeds that all ranked rows share; None of rows without every task."""
    found: list[float | None] = [None] * len(complete)
    most = max(len(own) for own in complete)
    rows = [i for i, own in enumerate(complete) if own and 2 * len(own) >= most]
    seeds = sorted(set.intersection(*(set(complete[i]) for i in rows)))
    if not seeds or len(rows) < 2:
        return found
    higher = [column.higher for column in columns]
    each = [
        statistics.mean_rank([[complete[i][s][c.task, c.metric] for c in columns] for i in rows], higher) for s in seeds
    ]
    for i, value in zip(rows, np.mean(each, axis=0), strict=True):
        found[i] = float(value)
    return found


def _dominated(complete: Sequence[Figures], columns: Sequence[TaskColumn]) -> list[bool | None]:
    """Whether another row's mean figures are nowhere worse and somewhere better."""
    found: list[bool | None] = [None] * len(complete)
    rows = [i for i, own in enumerate(complete) if own]
    means = [[np.mean([f[c.task, c.metric] for f in complete[i].values()]) for c in columns] for i in rows]
    for i, free in zip(rows, statistics.front(means, [column.higher for column in columns]), strict=True):
        found[i] = not bool(free)
    return found


# ---------------------------------------------------------------- in words


def _told_by(setting: Setting, settings: Sequence[Setting]) -> Words:
    """What tells a row from the others: the keys that tell any of them apart, with this row's values."""
    keys = dict.fromkeys(key for s in settings for key in s.values)
    keys |= dict.fromkeys(k for k in ("loss", "model") if len({s.words.get(k) for s in settings}) > 1)
    return {key: setting.words[key] for key in keys if key in setting.words}


def _unvaried(rows: Sequence[Row]) -> list[Finding]:
    """Rows of several seeds whose figures are all the same: are they different runs at all?"""
    found = []
    for row in rows:
        same = [t for t, e in row.figures.items() if e.n > 1 and len(set(e.values.values())) == 1]
        if same:
            text = f"{row.label}: every seed has the same figure of {listing(same)}; tests on it mean nothing"
            found.append(Finding("warning", "no variance", text))
    return found


# ---------------------------------------------------------------- questions


def _seeds(
    against: Sequence[Against | None], rows: Sequence[Row], questions: Sequence[Effect], needed: int
) -> tuple[int, int]:
    """The most seeds of a paired difference, and from how many on one could be significant: of those that the
    experiment was made for, a plan's contrasts or a factorial's main effects, where it was made for some."""
    if questions:
        return max(own.estimate.n for own in questions), statistics.seeds_needed(len(questions))
    paired = [own.difference.n for own in against if own is not None and own.difference.n]
    return max(paired, default=needed if len(rows) < 2 else 0), needed


def _provenance(collection: Collection) -> dict[str, str]:
    """Versions, hashes, hardware and folders, each value that occurs."""
    runs = [run for run in collection.runs if run.status == "completed"]

    def every(values: Sequence[object]) -> str:
        return listing(dict.fromkeys(str(v) for v in values if v), 6)

    commits = [f"{run.git['commit']}{' with changes' * bool(run.git.get('dirty'))}" for run in runs if run.git]
    found = {
        "folders": listing(collection.folders, 20),
        "runs": f"{len(runs)} completed of {len(collection.runs)}",
        "data hash": every([run.data_hash for run in runs]),
        "git": every(commits),
        "config hashes": f"{len({run.config_hash for run in runs})} different, in each run's summary.json",
        **{key: every([run.hardware.get(key) for run in runs]) for key in ("device", "cpu", "gpu", "threads")},
        **{name: every([run.versions.get(name) for run in runs]) for name in runs[0].versions},
        "tables": every([run.settings.get("data.path") for run in runs]),
    }
    return {key: value for key, value in found.items() if value != "none"}
