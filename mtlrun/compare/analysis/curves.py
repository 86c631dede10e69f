"""What lies in metrics.csv and importance.csv: figures over steps, steps to a target, importance, affinity."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis.distance import distances
from mtlrun.compare.analysis.inference import Inference
from mtlrun.compare.collect.folders import METRICS, RunRecord
from mtlrun.compare.collect.settings import TRAIN_ROWS, Setting, number
from mtlrun.compare.records import (
    CONFLICTS,
    DEAD,
    GATE,
    STITCH,
    Affinity,
    Diagnostic,
    Estimate,
    Finding,
    Importance,
    Series,
    Share,
    Speed,
    TaskColumn,
)
from mtlrun.compose.plans.affinity import PAIRS

COSINE = "cosine_"
SHARE = 0.95  # of the way from the trivial predictor's val figure to the reference's best: the target of `speeds`
LARGEST_STEP = 2**53  # beyond it no figure of a step is drawn where it is
SHOWN_RUNS = 240  # files of metrics.csv that are read: more bands do not become narrower to the eye
KEYS = ("weight", "rate")
FLAT = 1e-6  # of a line's height: what rounding may add to it
Key = tuple[str, str, str]  # split, task, metric


@dataclass(frozen=True)
class Curves:
    """Of each run's metrics.csv, by folder: (split, task, metric) -> steps and values."""

    runs: Mapping[Path, Mapping[Key, tuple[list[int], list[float]]]] = field(default_factory=dict)

    def of(self, run: RunRecord, key: Key) -> tuple[list[int], list[float]]:
        """Steps and values of one figure of a run; empty where it has none."""
        return self.runs.get(run.folder, {}).get(key, ([], []))


def read_curves(settings: Sequence[Setting], findings: list[Finding]) -> Curves:
    """The val figures, weights, rates, cosines and conflicts of the rows' runs; of many seeds the first of each row.

    A line that is not whole ends a file's reading, with a finding.
    """
    most = max(1, SHOWN_RUNS // max(1, sum(len(s.members) // max(1, len(s.seeds)) for s in settings)))
    found: dict[Path, dict[Key, tuple[list[int], list[float]]]] = {}
    broken = []
    for setting in settings:
        for run in (run for seed in setting.seeds[:most] for run in setting.runs[seed].values()):
            if run.folder in found:
                continue
            found[run.folder], whole = _read(run.folder / METRICS)
            if not whole:
                broken.append(run.name)
    if broken:
        text = f"{METRICS} is missing or has a line that is not whole: {'; '.join(broken[:3])}"
        findings.append(Finding("warning", "damaged file", text))
    return Curves(found)


def _read(path: Path) -> tuple[dict[Key, tuple[list[int], list[float]]], bool]:
    """The rows that are drawn, and whether the file is whole. Names hold no commas, so lines are split at them."""
    found: dict[Key, tuple[list[int], list[float]]] = {}
    if not path.is_file():
        return found, False
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return found, False
    wanted: dict[str, Key | None] = {}
    for line in lines[1:]:
        try:
            _, step, name = line.split(",", 2)
            name, value = name.rsplit(",", 1)
            if name not in wanted:
                split, task, metric = name.split(",")
                shown = split == "val" or metric in (*KEYS, CONFLICTS) or metric.startswith((COSINE, STITCH))
                wanted[name] = (split, task, metric) if shown and split != "test" else None
            key = wanted[name]
            if key is not None:
                steps, values = found.setdefault(key, ([], []))
                at, figure = int(step), float(value)
                if not 0 <= at < LARGEST_STEP:
                    raise ValueError(step)
                steps.append(at)
                values.append(figure)
        except ValueError:
            if line:
                return found, False
    return found, bool(lines) and lines[-1] == ""


# ---------------------------------------------------------------- over steps


def series(settings: Sequence[Setting], curves: Curves, columns: Sequence[TaskColumn]) -> list[Series]:
    """Val figures, loss weights, rates and gradient cosines over steps: mean and 95 % band over seeds.

    Boosting is left out: its iterations are no steps. So are weights and rates that stay what they were: the settings
    say them. Steps that fewer than half of a
    row's runs reach are left out: what is left of a row then is no mean of it.
    """
    found: list[Series] = []
    for setting in _nets(settings):
        for column in columns:
            runs = [*setting.of(column.task).values()]
            found += _band(
                "curve", setting.label, column.task, column.metric, runs, curves, ("val", column.task, column.metric)
            )
        trained = dict.fromkeys(task for own in setting.runs.values() for task in own)
        for task in trained:
            runs = [*setting.of(task).values()]
            if setting.kind == "method":
                found += _band("weight", setting.label, task, "weight", runs, curves, ("train", task, "weight"))
            found += _band("rate", setting.label, task, "rate", runs, curves, ("train", task, "rate"))
            others = [t for t in trained if t != task]
            for other in others:
                key = ("train", task, COSINE + other)
                found += _band("cosine", setting.label, task, other, runs, curves, key)
        if setting.kind == "method":
            found += _band("rate", setting.label, "", "rate", setting.members, curves, ("train", "", "rate"))
    return [own for own in found if own.what not in KEYS or _moves(own.mean)]


def _nets(settings: Sequence[Setting]) -> list[Setting]:
    """Rows that take steps."""
    return [setting for setting in settings if setting.kind != "boosting"]


def _moves(values: Sequence[float]) -> bool:
    """Whether a line is not flat, but for rounding."""
    return max(values) - min(values) > FLAT * max(map(abs, values))


What = Literal["curve", "weight", "rate", "cosine"]


def _band(
    what: What, label: str, task: str, metric: str, runs: Sequence[RunRecord], curves: Curves, key: Key
) -> Iterator[Series]:
    known = [own for run in runs if (own := curves.of(run, key))[0]]
    if not known:
        return
    longest = max((steps for steps, _ in known), key=len)
    if all(steps == longest for steps, _ in known):
        steps, table = longest, np.array([values for _, values in known])
    else:
        by_step = [dict(zip(*own, strict=True)) for own in known]
        steps = [s for s in sorted(set().union(*by_step)) if 2 * sum(s in own for own in by_step) >= len(known)]
        table = np.array([[own.get(s, np.nan) for s in steps] for own in by_step])
    mean, low, high = _bands(table)
    yield Series(what, label, task, metric, steps, mean, low, high, len(known))


def _bands(table: np.ndarray) -> tuple[list[float], list[float], list[float]]:
    """Mean and t interval of each column of `[n, S]`, without NaN; a single value is its own band."""
    count = np.sum(~np.isnan(table), 0)
    mean = np.nanmean(table, 0)
    spread = np.sqrt(np.nansum((table - mean) ** 2, 0) / np.maximum(count - 1, 1))
    quantile = {n: statistics.t_interval([-1.0, *[0.0] * (n - 2), 1.0]) for n in set(count.tolist()) if n > 1}
    half = np.zeros(len(mean))
    for n, (_, _, high) in quantile.items():
        unit = float(np.std([-1.0, *[0.0] * (n - 2), 1.0], ddof=1))
        half[count == n] = (high or 0.0) / unit
    half = half * spread
    return mean.tolist(), (mean - half).tolist(), (mean + half).tolist()


def speeds(
    settings: Sequence[Setting], curves: Curves, reference: Setting, columns: Sequence[TaskColumn]
) -> list[Speed]:
    """Steps until each task's val figure first reaches 95 % of the way from the trivial predictor to the reference.

    The reference's figure is the mean over seeds of its best on val. No target where either is unknown, or where
    the reference is no better than the trivial predictor.
    """
    found = []
    for column in columns:
        name, key = f"val/{column.task}/{column.metric}", ("val", column.task, column.metric)
        pick = max if column.higher else min
        runs = [run for run in reference.of(column.task).values() if curves.of(run, key)[1]]
        best = [pick(curves.of(run, key)[1]) for run in runs]
        trivial = [run.trivial[name] for run in runs if name in run.trivial]
        if not best or not trivial:
            continue
        start, end = float(np.mean(trivial)), float(np.mean(best))
        if (end <= start) if column.higher else (end >= start):
            continue
        target = start + SHARE * (end - start)
        for setting in _nets(settings):
            own = [curves.of(run, key) for run in setting.of(column.task).values()]
            own = [curve for curve in own if curve[0]]
            first = [
                next((s for s, v in zip(*curve, strict=True) if (v >= target if column.higher else v <= target)), None)
                for curve in own
            ]
            reached = [float(step) for step in first if step is not None]
            if own:
                median = float(np.median(reached)) if reached else None
                found.append(Speed(setting.label, column.task, target, median, len(reached), len(own)))
    return found


def diagnostics(settings: Sequence[Setting], curves: Curves, inference: Inference) -> list[Diagnostic]:
    """Rate of conflicts and shares of dead units at the last evaluation, where runs logged them: means over seeds, of
    which each counts with the mean of its runs (single-task nets are several)."""
    return [
        Diagnostic(setting.label, task, metric, estimate)
        for setting in settings
        for (task, metric), by_seed in _at_the_end(setting, curves, (CONFLICTS, DEAD)).items()
        if (estimate := inference.estimate(by_seed)) is not None
    ]


def shares(settings: Sequence[Setting], curves: Curves, inference: Inference) -> list[Share]:
    """Gates and stitches at the last evaluation, where runs have them. The names of their metrics are those of
    `Sharing.gates` and `Sharing.figures`.

    Means over seeds: stitches, and what gates give to all shared experts together and to all of a task. Experts of one
    such group stand in another order in every seed: where a group has several, the gates one by one are those of the
    first seed.
    """
    found = []
    for setting in settings:
        for (task, metric), by_seed in _at_the_end(setting, curves, (STITCH,)).items():
            parts = re.match(rf"{STITCH}layer(\d+)_(.+)", metric)
            if parts and (estimate := inference.estimate(by_seed)) is not None:
                found.append(Share(setting.label, f"layer {parts[1]}", task, parts[2], estimate, signed=True))
        found += _gates(setting, curves, inference)
    return found


def _gates(setting: Setting, curves: Curves, inference: Inference) -> list[Share]:
    """For every level its groups of experts, where there are several, and its experts, where a group has several."""
    # level -> reader and group -> number of the expert -> seed -> gate
    levels: dict[str, dict[tuple[str, str], dict[str, dict[int, float]]]] = {}
    for (task, metric), by_seed in _at_the_end(setting, curves, (GATE,)).items():
        if parts := re.match(rf"{GATE}(?:level(\d+)_)?(?:all_)?(?:(.+)_)?([a-z]+)(\d+)$", metric):
            level, owner, kind, number = parts.groups()
            owner = owner or (task if kind == "own" else "")
            pair = task or "shared gate", f"{owner}: {kind}" if owner else kind
            levels.setdefault(f"level {level}" if level else "", {}).setdefault(pair, {})[number] = by_seed
    found = []
    for level, gates in levels.items():
        if len({group for _, group in gates}) > 1:
            for (reader, group), members in gates.items():
                seeds = set.intersection(*(set(by_seed) for by_seed in members.values()))
                estimate = inference.estimate({s: sum(by_seed[s] for by_seed in members.values()) for s in seeds})
                if estimate is not None:
                    found.append(Share(setting.label, level, reader, group, estimate, signed=False))
        if any(len(members) > 1 for members in gates.values()):
            for (reader, group), members in gates.items():
                for number, by_seed in members.items():
                    first = min(by_seed)
                    estimate = inference.estimate({first: by_seed[first]})
                    if estimate is not None:
                        read = f"{group} {number}"
                        found.append(Share(setting.label, level, reader, read, estimate, signed=False, seed=first))
    return found


def _at_the_end(setting: Setting, curves: Curves, wanted: tuple[str, ...]) -> dict[tuple[str, str], dict[int, float]]:
    """What is told of training in one number, by task and metric (whose name begins as `wanted`): by seed the value at
    the last evaluation, the mean of the seed's runs."""
    last: dict[tuple[str, str], dict[int, list[float]]] = {}
    for seed in setting.seeds:
        for run in {id(r): r for r in setting.runs[seed].values()}.values():
            for (_, task, metric), (_, values) in curves.runs.get(run.folder, {}).items():
                if metric.startswith(wanted):
                    last.setdefault((task, metric), {}).setdefault(seed, []).append(values[-1])
    return {key: {seed: float(np.mean(values)) for seed, values in by_seed.items()} for key, by_seed in last.items()}


# ---------------------------------------------------------------- over a setting


def trends(
    settings: Sequence[Setting],
    figures: Sequence[Mapping[int, Mapping[tuple[str, str], float]]],
    columns: Sequence[TaskColumn],
    inference: Inference,
) -> list[Series]:
    """Figures over a number that settings vary in three values or more, else alike: data.train_rows, and another
    key where it is the only one.

    A setting without a limit of rows stands at the rows that it trains on.
    """
    found = []
    values = [{**s.words, **_all_rows(s)} for s in settings]
    numeric = [key for key in dict.fromkeys(k for s in settings for k in s.values) if _is_numeric(key, values)]
    others = [key for key in numeric if key != TRAIN_ROWS]
    for key in (key for key in numeric if key == TRAIN_ROWS or len(others) == 1):
        lines: dict[tuple[str, tuple[tuple[str, str], ...]], list[int]] = {}
        for i, setting in enumerate(settings):
            if key in values[i] and setting.runs:
                rest = tuple(sorted((k, v) for k, v in setting.values.items() if k != key))
                lines.setdefault((setting.kind, rest), []).append(i)
        for (kind, rest), rows in lines.items():
            rows.sort(key=lambda i: float(values[i][key]))
            if len(rows) < 3:
                continue
            label = " ".join(f"{k}={v}" for k, v in rest) or (kind if kind != "method" else "together")
            for column in columns:
                name = column.task, column.metric
                points: list[tuple[float, Estimate]] = []
                for i in rows:
                    point = inference.estimate({s: own[name] for s, own in figures[i].items() if name in own})
                    if point is not None:
                        points.append((float(values[i][key]), point))
                if len(points) > 2:
                    found.append(
                        Series(
                            "trend",
                            label,
                            column.task,
                            column.metric,
                            [x for x, _ in points],
                            [p.mean for _, p in points],
                            [p.mean if p.low is None else p.low for _, p in points],
                            [p.mean if p.high is None else p.high for _, p in points],
                            min(p.n for _, p in points),
                            key,
                        )
                    )
    return found


def _all_rows(setting: Setting) -> dict[str, str]:
    """How many rows a setting without data.train_rows trains on."""
    rows = {run.rows["train"] for run in setting.members if "train" in run.rows}
    return {TRAIN_ROWS: str(rows.pop())} if len(rows) == 1 and TRAIN_ROWS not in setting.words else {}


def _is_numeric(key: str, values: Sequence[Mapping[str, str]]) -> bool:
    own = {value[key] for value in values if key in value}
    return len(own) > 2 and all(number(value) is not None for value in own)


# ---------------------------------------------------------------- inputs, pairs of tasks


def importances(
    settings: Sequence[Setting], columns: Sequence[TaskColumn], inference: Inference, findings: list[Finding]
) -> list[Importance]:
    """How much worse each main task gets without an input, where runs have an importance.csv."""
    found: list[Importance] = []
    broken = []
    tasks = [column.task for column in columns]
    for setting in settings:
        every: dict[tuple[str, str], dict[int, float]] = {}
        for seed in setting.seeds:
            for run in {id(r): r for r in setting.runs[seed].values()}.values():
                path = run.folder / "importance.csv"
                if not path.is_file():
                    continue
                try:
                    with open(path, encoding="utf-8", newline="") as file:
                        for row in csv.DictReader(file):
                            if row["task"] in tasks:
                                every.setdefault((row["task"], row["input"]), {})[seed] = float(row["value"])
                except (OSError, KeyError, TypeError, ValueError):
                    broken.append(run.name)
        for (task, name), values in every.items():
            if (estimate := inference.estimate(values)) is not None:
                found.append(Importance(setting.label, task, name, estimate))
    if broken:
        findings.append(Finding("warning", "damaged file", f"importance.csv cannot be read: {'; '.join(broken[:3])}"))
    return found


def affinity(
    settings: Sequence[Setting],
    base: Setting,
    columns: Sequence[TaskColumn],
    split: str,
    inference: Inference,
    findings: list[Finding],
) -> Affinity | None:
    """Gains and gradient cosines of main tasks trained in pairs, where pairs are there and the baseline is single-task
    nets. With two main tasks every shared net is a pair: there only the arm counts that says so.

    gains[a, b]: by how many percent a's figure with b is better than alone, by seed.
    """
    higher = {column.task: (column.metric, column.higher) for column in columns}
    trained = [s for s in settings if s.kind == "method" and len(_tasks(s)) == 2]
    pairs = [s for s in trained if set(_tasks(s)) <= set(higher)]
    if len(columns) < 3:
        pairs = [s for s in pairs if s.arm == PAIRS]
    if base.kind != "alone" or not pairs:
        return None
    curves = read_curves(pairs, findings)
    gains: dict[tuple[str, str], Estimate] = {}
    cosines: dict[tuple[str, str], Estimate] = {}
    for pair in pairs:
        one, two = _tasks(pair)
        for task, other in ((one, two), (two, one)):
            metric, better = higher[task]
            name = f"{split}/{task}/{metric}"
            lone = {s: run.figures[name] for s, run in base.of(task).items() if name in run.figures}
            own = {s: run.figures[name] for s, run in pair.of(task).items() if name in run.figures and s in lone}
            gain = {s: -float(statistics.relative_drop(v, lone[s], better)) for s, v in own.items()}
            if (estimate := inference.estimate(gain)) is not None:
                gains.setdefault((task, other), estimate)
            values = {s: curves.of(run, ("train", task, COSINE + other))[1] for s, run in pair.of(task).items()}
            mean = inference.estimate({s: float(np.mean(v)) for s, v in values.items() if v})
            if mean is not None:
                cosines.setdefault((task, other), mean)
                cosines.setdefault((other, task), mean)
    return Affinity(tuple(higher), gains, cosines, distances(base, tuple(higher), inference, findings))


def _tasks(setting: Setting) -> tuple[str, ...]:
    return setting.members[0].tasks if setting.members else ()
