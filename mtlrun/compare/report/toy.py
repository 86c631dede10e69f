"""Runs of model=point: which strategies reached the front or the minimum from which starts, and how they went there.

No statistics: starts are chosen, not drawn, and nothing in them differs from one seed to another.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mtlrun.compare.collect.run_record import Collection, RunRecord
from mtlrun.compare.collect.summaries import METRICS
from mtlrun.compare.report.page import SIGNATURE, inline_svg, require_ours, save_png
from mtlrun.compare.report.plots import GRID, INK, LETTER, LINE, PALETTE, SOFT, style
from mtlrun.compare.report.render import wrap
from mtlrun.results.files import write_atomic, write_text
from mtlrun.tasks import toy_objectives
from mtlrun.util.errors import RequestError, listing

FORMATS = ("text", "markdown", "csv")
ABSENT = "—"
NEVER = "never"
HEIGHT, OFF = -8.355, 0.1  # of the front, and how far from it a run still counts as on it
BEYOND = 0.05  # of the front's ends
REACH = 11.0  # of the picture, to all sides
PANEL = 2.3  # inches
WIDE = 4  # panels beside each other
SIZES = (100, 0.4)  # contours: points a side, line width

NOTES = {
    "start": "a run for each start; starts are not seeds, and nothing here says how likely anything is",
    "front": f"the last point has |x2 {-HEIGHT:+g}| < {OFF:g} and |x1| <= {toy_objectives.FRONT_X1[1] + BEYOND:g}",
    "minimum": f"the last point is less than {OFF:g} from the minimum of the sum of the losses",
    "goal": "steps before the sum of the losses was first at or below trainer.goal; of all starts the most",
    "mean": "of the starts that reached the goal",
    "published": "worst start, from Elich et al. (2024), table of the toy",
    "prototype": "what code of its own for the same formulas got",
}


@dataclass(frozen=True)
class Known:
    """A setting of which figures are known. scales: of L1 and L2; steps: how many were taken; c: that of cagrad."""

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
    """The way of one run: points `[n, 2]` at its start and its evaluations; `steps` to the goal, None where it was not
    reached or none was set."""

    start: tuple[float, ...]
    points: np.ndarray
    steps: int | None
    completed: bool

    @property
    def on_front(self) -> bool:
        """Whether it ended on the Pareto front, near enough."""
        x1, x2 = self.points[-1]
        return self.completed and abs(x2 - HEIGHT) < OFF and abs(x1) <= toy_objectives.FRONT_X1[1] + BEYOND

    def at(self, place: tuple[float, float]) -> bool:
        """Whether it ended at a place, near enough."""
        return self.completed and math.dist(self.points[-1], place) < OFF


@dataclass(frozen=True)
class Group:
    """The runs of one strategy at one rate. `published`, `prototype`: what others got, in words, or empty."""

    label: str
    rate: float
    ways: tuple[Way, ...]
    published: str
    prototype: str

    @property
    def slowest(self) -> int | None:
        """Steps to the goal from the worst start; None where one start never reached it."""
        found = [way.steps for way in self.ways]
        return None if None in found else max(step for step in found if step is not None)

    @property
    def mean(self) -> float | None:
        """Mean number of steps of the starts that reached the goal; None where none did."""
        found = [way.steps for way in self.ways if way.steps is not None]
        return sum(found) / len(found) if found else None


@dataclass(frozen=True)
class Objectives:
    """What is minimised: the tasks, the functions that they are, and what these are multiplied by."""

    tasks: tuple[str, ...]
    names: tuple[str, ...]
    scales: tuple[float, ...]

    @property
    def scaled(self) -> str:
        """Which tasks are multiplied by what, in words; empty where none is."""
        return ", ".join(f"{t} times {s:g}" for t, s in zip(self.tasks, self.scales, strict=True) if s != 1)


def compare_points(collection: Collection, out: Path, words: Mapping[str, str]) -> tuple[str, list[Path]]:
    """The table as text in the format asked for, and the files written into `out`: comparison.csv, trajectories.png,
    report.html.

    Raises RequestError for options that have no meaning for points, for runs of other models, and for objectives that
    differ between runs.
    """
    other = next((run for run in collection.runs if run.settings.get("model") != "point"), None)
    if other is not None:
        raise RequestError(
            f"compare: {other.name} is not of model=point, and others here are\n"
            "allowed: folders of the one kind or of the other"
        )
    for option in words:
        if option not in ("format", "output"):
            raise RequestError(f"--{option}: has no meaning for runs of model=point\nallowed: --format, -o")
    asked = words.get("format", "text")
    if asked not in FORMATS:
        raise RequestError(
            f"--format: found {asked}, which runs of model=point do not have\nallowed: {listing(FORMATS)}"
        )
    objectives = _objectives(collection.runs)
    groups = _groups(collection.runs, objectives)
    goal = next((run.settings["trainer.goal"] for run in collection.runs if "trainer.goal" in run.settings), None)
    head, rows = _table(groups, goal, minimum(objectives.names, objectives.scales))
    notes = _notes(head, goal, objectives)
    with style():
        figure = picture(groups, objectives)
        paths = [out / "comparison.csv", out / "trajectories.png", out / "report.html"]
        require_ours(paths)
        write_text(paths[0], _csv(head, rows))
        write_atomic(paths[1], partial(save_png, figure))
        write_text(paths[2], _page(head, rows, notes, inline_svg(figure, "trajectories")))
    text = {"text": _text, "markdown": _markdown, "csv": _csv}[asked](head, rows)
    findings = [f"{finding.kind}: {finding.text}" for finding in collection.findings]
    return text if asked == "csv" else "\n".join([text, *notes, *findings]) + "\n", paths


def _objectives(runs: Sequence[RunRecord]) -> Objectives:
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


def _groups(runs: Sequence[RunRecord], objectives: Objectives) -> list[Group]:
    """One for each strategy and rate, in the order of the runs."""
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
    """Whether the runs are those of a known setting: its starts, functions, factors and steps, and nothing else."""
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
    """By folder: the arm's label, or the strategy with those of its settings in which runs of it differ."""
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
    """The points of a run, from its settings and its metrics.csv as far as its lines are whole."""
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


# ---------------------------------------------------------------- the table


def _table(groups: Sequence[Group], goal: object, lowest: tuple[float, float]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells; columns in which nothing would stand are left out."""
    columns: dict[str, list[str]] = {
        "strategy": [group.label for group in groups],
        "rate": [f"{group.rate:g}" for group in groups],
        "starts": [str(len(group.ways)) for group in groups],
        "on the front": [str(sum(way.on_front for way in group.ways)) for group in groups],
        "at the minimum": [str(sum(way.at(lowest) for way in group.ways)) for group in groups],
    }
    if goal is not None:
        columns["at the goal"] = [str(sum(way.steps is not None for way in group.ways)) for group in groups]
        columns["steps"] = [NEVER if group.slowest is None else str(group.slowest) for group in groups]
        columns["mean steps"] = [NEVER if group.mean is None else f"{group.mean:.0f}" for group in groups]
    for heading, cells in (
        ("published steps", [group.published for group in groups]),
        ("prototype", [group.prototype for group in groups]),
    ):
        if any(cells):
            columns[heading] = [cell or ABSENT for cell in cells]
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def _notes(head: Sequence[str], goal: object, objectives: Objectives) -> list[str]:
    notes = [f"losses: {objectives.scaled}"] if objectives.scaled else []
    notes += [f"starts: {NOTES['start']}", f"on the front: {NOTES['front']}", f"at the minimum: {NOTES['minimum']}"]
    if "steps" in head:
        notes += [f"at the goal, steps: {NOTES['goal']} ({goal})", f"mean steps: {NOTES['mean']}"]
    others = [name for name in ("published steps", "prototype") if name in head]
    notes += [f"{name}: {NOTES[name.split()[0]]}" for name in others]
    if others:
        notes.append(f"{ABSENT}: none is known with these starts, rate, factors and steps")
    return notes


def _text(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    table = [list(head), *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], ""])


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(["| " + " | ".join(row) + " |" for row in (head, rule, *rows)] + [""])


def _csv(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["label", "kind", *(name.replace(" ", "_") for name in head[1:])])
    writer.writerows([row[0], "point", *row[1:]] for row in rows)
    return file.getvalue()


# ---------------------------------------------------------------- the picture and the page


def front(names: Sequence[str], scales: Sequence[float]) -> np.ndarray:
    """The Pareto front `[n, 2]` of the two objectives: the minima of their weighted sums in the lower half, by search
    over a grid."""
    x1, x2 = np.meshgrid(np.linspace(*toy_objectives.FRONT_X1, 57), np.linspace(-9, -7.5, 601), indexing="ij")
    both = (
        toy_objectives.values(np.array(toy_objectives.constants(names)), x1[..., None], x2[..., None], np) * scales
    )  # [57, 601, 2]
    # of s₁ w g₁ + s₂ (1 − w) g₂ the minimum is at x₁ = 7 (2 s₁w − 1) where s₁w + s₂(1 − w) = 1
    share = (x1[:, :1] / toy_objectives.FRONT_X1[1] + 1) / 2
    total = share * both[..., 0] / scales[0] + (1 - share) * both[..., 1] / scales[1]
    return np.stack([x1[:, 0], x2[0][total.argmin(1)]], 1)


def minimum(names: Sequence[str], scales: Sequence[float]) -> tuple[float, float]:
    """Where the sum of the objectives times their factors is least: in the lower half, x1 in closed form, x2 by search
    over a grid of steps of 0.0001."""
    constants = np.array(toy_objectives.constants(names))
    ends = np.array([toy_objectives.OBJECTIVES[name].e for name in names])
    x1 = float(np.average(ends, weights=scales))  # there of Σ sₜ (eₜ − x₁)²
    x2 = np.linspace(-9, -7.5, 15001)
    total = (toy_objectives.values(constants, np.full((len(x2), 1), x1), x2[:, None], np) * scales).sum(-1)
    return x1, float(x2[total.argmin()])


def picture(groups: Sequence[Group], objectives: Objectives) -> Figure:
    """A panel for each strategy and rate: the ways from all starts over contours of the sum of the losses."""
    names, scales = objectives.names, objectives.scales
    rates = list(dict.fromkeys(group.rate for group in groups))
    wide = len(rates) if len(rates) > 1 else min(WIDE, len(groups))
    high = -(-len(groups) // wide)
    starts = list(dict.fromkeys(way.start for group in groups for way in group.ways))
    title = "Ways of the point from every start, over contours of the sum of the losses"
    title += f" ({objectives.scaled})" if objectives.scaled else ""
    lines = wrap(title, int(PANEL * wide / LETTER), 5, "")[0]
    figure = Figure(figsize=(PANEL * wide, (PANEL + LINE) * high + (4 + len(lines)) * LINE), layout="compressed")
    figure.set_label(title)
    figure.suptitle("\n".join(lines), fontsize=9.5)
    axes = figure.subplots(high, wide, squeeze=False, sharex=True, sharey=True).flatten()
    side = np.linspace(-REACH, REACH, SIZES[0])
    x1, x2 = np.meshgrid(side, side)
    total = (
        toy_objectives.values(np.array(toy_objectives.constants(names)), x1[..., None], x2[..., None], np) * scales
    ).sum(-1)
    levels = np.linspace(total.min(), total.max(), 13)[1:-1]
    line = front(names, scales) if len(names) == 2 else np.empty((0, 2))
    for axis in axes[len(groups) :]:
        axis.set_visible(False)
    for i, (axis, group) in enumerate(zip(axes, groups, strict=False)):
        axis.contour(x1, x2, total, levels=levels, colors=[GRID], linewidths=SIZES[1], linestyles="solid")
        axis.plot(line[:, 0], line[:, 1], color=SOFT, linewidth=3, solid_capstyle="butt")
        for way in group.ways:
            colour = PALETTE[starts.index(way.start) % (len(PALETTE) - 1)]
            axis.plot(way.points[:, 0], way.points[:, 1], color=colour, linewidth=0.9)
            axis.plot(*way.start, "o", color=colour, markersize=3.5)
            axis.plot(*way.points[-1], "*", color=INK, markersize=6)
        axis.set_title(group.label if len(rates) == 1 else f"{group.label}, rate {group.rate:g}", fontsize=8.5)
        axis.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xticks=(-10, 0, 10), yticks=(-10, 0, 10), aspect="equal")
        if i + wide >= len(groups):  # the last of its column
            axis.set_xlabel("x1")
            axis.tick_params(labelbottom=True)
        if i % wide == 0:
            axis.set_ylabel("x2")
    signs = [
        Line2D([], [], color=INK, marker="o", markersize=3.5, linestyle="", label="start"),
        Line2D([], [], color=INK, marker="*", markersize=6, linestyle="", label="end"),
        Line2D([], [], color=SOFT, linewidth=3, label="Pareto front"),
    ]
    figure.legend(handles=signs, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _page(head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str], svg: str) -> str:
    cells = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    page = Path(__file__).with_name("toy.html").read_text(encoding="utf-8")
    parts = {
        "SIGNATURE": SIGNATURE,
        "HEAD": "".join(f"<th>{escape(name)}</th>" for name in head),
        "ROWS": cells,
        "NOTES": "".join(f"<li>{escape(note)}</li>" for note in notes),
        "PICTURE": svg,
    }
    for name, value in parts.items():
        page = page.replace(f"[[{name}]]", value)
    return page
