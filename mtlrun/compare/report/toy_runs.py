"""Runs of model=point: their starts, paths and ends, in groups by strategy and rate.

Groups also have results from other sources with the same starts, rates, factors and steps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.collect.summaries import METRICS
from mtlrun.tasks import toy_objectives
from mtlrun.util.errors import RequestError

NEVER = "never"
HEIGHT, OFF = -8.355, 0.1  # x2 of the front; largest distance at which a run counts as on it
BEYOND = 0.05  # largest distance beyond the ends of the front


@dataclass(frozen=True)
class Known:
    """A setting with known results. scales: factors of L1 and L2; steps: number of steps; c: `loss.c` of cagrad."""

    starts: tuple[tuple[float, float], ...]
    scales: tuple[float, float]
    steps: int
    c: float


THREE = ((-8.5, 7.5), (-8.5, -5.0), (9.0, 9.0))
FIVE = ((-8.5, 7.5), (0.0, 0.0), (9.0, 9.0), (-7.5, -0.5), (9.0, -1.0))
A, B = Known(THREE, (1.0, 1.0), 100_000, 0.5), Known(FIVE, (0.1, 1.0), 35_000, 0.4)
C = A  # at other rates
TARGETS = ("cagrad_1", "cagrad_2")
GOAL = -30.0  # of the published steps
# What else is the same in all of them; a key that a run has not is as it is here.
PLAIN = {
    "optimizer": "adam",
    "optimizer.betas": [0.9, 0.999],
    "optimizer.weight_decay": 0.0,
    "optimizer.amsgrad": False,
    "lr.schedule": "constant",
    "lr.warmup": 0,
    "loss.scale": "paper",
    "loss.normalize": "none",
    "trainer.clip": None,
    "trainer.gradient_noise": 0.0,
}

# By setting, strategy and rate: what others got.
RATES = (10.0, 1.0, 0.1, 0.01, 0.001)
PUBLISHED: dict[tuple[Known, str, float], str] = {
    (C, loss, rate): steps
    for loss, row in {
        "sum": ("26", "22", "709", "9015", NEVER),
        "pcgrad": ("25", "56", "34175", NEVER, NEVER),
        "cagrad": ("27", "32", "802", "11239", "57700"),
    }.items()
    for rate, steps in zip(RATES, row, strict=True)
}
PROTOTYPE: dict[tuple[Known, str, float], str] = {
    (A, "sum", 0.001): "minimum 1 of 3",
    (A, "cagrad", 0.001): "minimum 3 of 3",
    (A, "mgda", 0.001): "elsewhere on the front",
    (A, "pcgrad", 0.001): "elsewhere on the front",
} | {
    (B, loss, 0.001): f"front {count} of 5"
    for loss, count in {"sum": 3, "pcgrad": 4, "cagrad": 3, "mgda": 5, "imtl_g": 5, "nash_mtl": 5}.items()
}


@dataclass(frozen=True)
class Way:
    """The path of one run.

    points: `[n, 2]`, at the start and at the evaluations. steps: number of steps to the goal; None if it was not
    reached or no goal was set.
    """

    start: tuple[float, ...]
    points: np.ndarray
    steps: int | None
    completed: bool

    @property
    def on_front(self) -> bool:
        """Whether it ended close to the Pareto front."""
        x1, x2 = self.points[-1]
        return self.completed and abs(x2 - HEIGHT) < OFF and abs(x1) <= toy_objectives.FRONT_X1[1] + BEYOND

    def at(self, place: tuple[float, float]) -> bool:
        """Whether it ended close to a place."""
        return self.completed and math.dist(self.points[-1], place) < OFF


@dataclass(frozen=True)
class Group:
    """The runs of one strategy at one rate. published, prototype: results from other sources in words, or ""."""

    label: str
    rate: float
    ways: tuple[Way, ...]
    published: str
    prototype: str

    @property
    def slowest(self) -> int | None:
        """Steps to the goal from the worst start; None if the goal was not reached from some start."""
        found = [way.steps for way in self.ways]
        return None if None in found else max(step for step in found if step is not None)

    @property
    def mean(self) -> float | None:
        """Mean number of steps to the goal, over the starts that reached it; None if none did."""
        found = [way.steps for way in self.ways if way.steps is not None]
        return sum(found) / len(found) if found else None


@dataclass(frozen=True)
class Objectives:
    """What is minimised: the tasks, their functions, and the factors of these."""

    tasks: tuple[str, ...]
    names: tuple[str, ...]
    scales: tuple[float, ...]

    @property
    def scaled(self) -> str:
        """The factors of the tasks in words; "" if all are 1."""
        return ", ".join(f"{t} times {s:g}" for t, s in zip(self.tasks, self.scales, strict=True) if s != 1)


def objectives_of(runs: Sequence[RunRecord]) -> Objectives:
    """The functions and factors, the same for all runs."""
    found = {
        tuple(
            (str(run.settings.get(f"tasks.{t}.target", t)), float(run.settings.get(f"tasks.{t}.scale", 1.0)))
            for t in run.tasks
        )
        for run in runs
    }
    if len(found) > 1:
        raise RequestError(
            "compare: these runs of model=point have different objectives or factors\n"
            "allowed: runs with the same tasks.NAME.target and tasks.NAME.scale"
        )
    pairs = found.pop()
    return Objectives(runs[0].tasks, tuple(name for name, _ in pairs), tuple(scale for _, scale in pairs))


def groups_of(runs: Sequence[RunRecord], objectives: Objectives) -> list[Group]:
    """One group for each strategy and rate, in the order of the runs."""
    labels = _labels(runs)
    found: dict[tuple[str, float], list[RunRecord]] = {}
    for run in runs:
        found.setdefault((labels[run.folder], float(run.settings["lr.base"])), []).append(run)
    groups = []
    for (label, rate), own in found.items():
        ways = tuple(_way(run) for run in own)
        loss = str(own[0].settings["loss"])
        known = [(setting, loss, rate) for setting in (A, B) if _agree(own, ways, objectives, setting)]
        at_goal = {run.settings.get("trainer.goal") for run in own} == {GOAL}
        published = next((PUBLISHED[key] for key in known if key in PUBLISHED and at_goal), "")
        prototype = next((PROTOTYPE[key] for key in known if key in PROTOTYPE), "")
        groups.append(Group(label, rate, ways, published, prototype))
    return groups


def _agree(runs: Sequence[RunRecord], ways: Sequence[Way], objectives: Objectives, known: Known) -> bool:
    """Whether the runs have exactly the starts, functions, factors, steps and other settings of a known setting."""
    plain = all(
        run.status == "completed"
        and run.steps == known.steps
        and run.settings.get("loss.c", known.c) == known.c
        and all(run.settings.get(key, value) == value for key, value in PLAIN.items())
        for run in runs
    )
    same = (objectives.names, objectives.scales) == (TARGETS, known.scales)
    return plain and same and sorted(way.start for way in ways) == sorted(known.starts)


def _labels(runs: Sequence[RunRecord]) -> dict[Path, str]:
    """Folder -> label: the label of the arm, or the strategy with those of its settings in which its runs differ."""
    by_loss: dict[str, list[RunRecord]] = {}
    for run in runs:
        by_loss.setdefault(str(run.settings["loss"]), []).append(run)
    labels = {}
    for loss, own in by_loss.items():
        keys = dict.fromkeys(key for run in own for key in run.settings if key.startswith("loss."))
        varied = [key for key in keys if len({str(run.settings.get(key)) for run in own}) > 1]
        for run in own:
            parts = [f"{key.removeprefix('loss.')} {run.settings.get(key)}" for key in varied]
            labels[run.folder] = run.arm or ", ".join([loss, *parts])
    return labels


def _way(run: RunRecord) -> Way:
    """The path of a run, from its settings and the complete lines of its metrics.csv."""
    try:
        start = tuple(float(v) for v in run.settings["model.start"])
    except (KeyError, TypeError, ValueError):
        raise RequestError(
            f"{run.name}: its summary.json has no model.start that can be read\nleave it out of the comparison"
        ) from None
    found: dict[str, dict[int, float]] = {"x1": {}, "x2": {}}
    path = run.folder / METRICS
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[1:-1] if path.is_file() else []
    for line in lines:
        parts = line.split(",")
        if len(parts) == 6 and parts[2:4] == ["train", ""] and parts[4] in found:
            found[parts[4]][int(parts[1])] = float(parts[5])
    steps = [step for step in found["x1"] if step in found["x2"]]
    points = np.array([start, *((found["x1"][step], found["x2"][step]) for step in steps)])
    goal = run.figures.get("train//goal_step")
    return Way(start, points, None if goal is None else int(goal), run.status == "completed")
