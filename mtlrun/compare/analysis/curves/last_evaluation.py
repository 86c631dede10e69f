"""Figures on the training at the last evaluation: conflicts, dead units, gates, stitches."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtlrun.compare.analysis.curves.metrics_files import Curves
from mtlrun.compare.analysis.inference import SHARES, Inference
from mtlrun.compare.collect.settings import Setting
from mtlrun.compare.records import CONFLICTS, DEAD, GATE, STITCH, Diagnostic, Share

STITCH_NAME = re.compile(rf"{STITCH}layer(?P<layer>\d+)_(?P<read>.+)")
GATE_NAME = re.compile(rf"{GATE}(?:level(?P<level>\d+)_)?(?:all_)?(?:(?P<owner>.+)_)?(?P<kind>[a-z]+)(?P<number>\d+)$")
BySeed = dict[int, float]


def diagnostics(settings: Sequence[Setting], curves: Curves, inference: Inference) -> list[Diagnostic]:
    """Rate of conflicts and shares of dead units at the last evaluation, if runs logged them.

    The figures are means over seeds. The value of a seed is the mean of its runs; single-task nets have several.
    """
    return [
        Diagnostic(setting.label, task, metric, estimate)
        for setting in settings
        for (task, metric), by_seed in _at_the_end(setting, curves, (CONFLICTS, DEAD)).items()
        if (estimate := inference.estimate(by_seed, SHARES)) is not None
    ]


def shares(settings: Sequence[Setting], curves: Curves, inference: Inference) -> list[Share]:
    """Gates and stitches at the last evaluation, if runs have them.

    The names of their metrics come from `Sharing.gates` and `Sharing.figures`. A group is all shared experts, or all
    experts of a task. Stitches, and the total share of each group, are means over seeds. The order of the experts in a
    group differs between seeds, so shares of single experts are those of the first seed.
    """
    found = []
    for setting in settings:
        found += _stitches(setting, curves, inference)
        for level, groups in _experts_by_level(setting, curves).items():
            if len({group.experts for group in groups}) > 1:
                found += _group_shares(setting.label, level, groups, inference)
            if any(len(members) > 1 for members in groups.values()):
                found += _expert_shares(setting.label, level, groups, inference)
    return found


def _stitches(setting: Setting, curves: Curves, inference: Inference) -> list[Share]:
    found = []
    for (task, metric), by_seed in _at_the_end(setting, curves, (STITCH,)).items():
        name = STITCH_NAME.match(metric)
        if name and (estimate := inference.estimate(by_seed)) is not None:
            found.append(Share(setting.label, f"layer {name['layer']}", task, name["read"], estimate, signed=True))
    return found


@dataclass(frozen=True)
class Group:
    """Experts that one reader reads and whose order has no meaning: all shared ones, or all of a task."""

    reader: str  # a task, or "shared gate"
    experts: str


Gates = dict[Group, dict[str, BySeed]]  # group -> number of the expert -> seed -> gate


def _experts_by_level(setting: Setting, curves: Curves) -> dict[str, Gates]:
    """The gates of each level of the trunk. The level is "" if there are no levels."""
    levels: dict[str, Gates] = {}
    for (task, metric), by_seed in _at_the_end(setting, curves, (GATE,)).items():
        if name := GATE_NAME.match(metric):
            owner = name["owner"] or (task if name["kind"] == "own" else "")
            group = Group(task or "shared gate", f"{owner}: {name['kind']}" if owner else name["kind"])
            level = f"level {name['level']}" if name["level"] else ""
            levels.setdefault(level, {}).setdefault(group, {})[name["number"]] = by_seed
    return levels


def _group_shares(label: str, level: str, gates: Gates, inference: Inference) -> list[Share]:
    """The total share of each group per reader, over the seeds that have all of its gates."""
    found = []
    for group, members in gates.items():
        seeds = set.intersection(*(set(by_seed) for by_seed in members.values()))
        estimate = inference.estimate({s: sum(by_seed[s] for by_seed in members.values()) for s in seeds}, SHARES)
        if estimate is not None:
            found.append(Share(label, level, group.reader, group.experts, estimate, signed=False))
    return found


def _expert_shares(label: str, level: str, gates: Gates, inference: Inference) -> list[Share]:
    """The share of each expert per reader, in the first seed."""
    found = []
    for group, members in gates.items():
        for number, by_seed in members.items():
            first = min(by_seed)
            estimate = inference.estimate({first: by_seed[first]})
            if estimate is not None:
                read = f"{group.experts} {number}"
                found.append(Share(label, level, group.reader, read, estimate, signed=False, seed=first))
    return found


def _at_the_end(setting: Setting, curves: Curves, prefixes: tuple[str, ...]) -> dict[tuple[str, str], BySeed]:
    """(task, metric) -> seed -> value at the last evaluation, averaged over the runs of the seed.

    prefixes: beginnings of the names of the metrics.
    """
    last: dict[tuple[str, str], dict[int, list[float]]] = {}
    for seed in setting.seeds:
        for run in setting.of_seed(seed):
            for (_, task, metric), (_, values) in curves.runs.get(run.folder, {}).items():
                if metric.startswith(prefixes):
                    last.setdefault((task, metric), {}).setdefault(seed, []).append(values[-1])
    return {key: {seed: float(np.mean(values)) for seed, values in by_seed.items()} for key, by_seed in last.items()}
