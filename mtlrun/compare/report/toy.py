"""Compares runs of model=point: which strategies reached the front or the minimum, from which starts and on which way.

There are no statistics, because starts are chosen, not drawn, and seeds change nothing.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path

from mtlrun.compare.collect.run_record import Collection
from mtlrun.compare.report.page import SIGNATURE, inline_svg, require_ours, save_png
from mtlrun.compare.report.pictures.style import style
from mtlrun.compare.report.rounding import ABSENT
from mtlrun.compare.report.toy_picture import minimum, picture
from mtlrun.compare.report.toy_runs import BEYOND, HEIGHT, NEVER, OFF, Group, Objectives, groups_of, objectives_of
from mtlrun.results.files import write_atomic, write_text
from mtlrun.tasks import toy_objectives
from mtlrun.util.errors import RequestError, listing

FORMATS = ("text", "markdown", "csv")
KNOWN = ("published steps", "prototype")  # columns with results from other sources

NOTES = {
    "start": "a run for each start; starts are not seeds, and nothing here says how likely anything is",
    "front": f"the last point has |x2 {-HEIGHT:+g}| < {OFF:g} and |x1| <= {toy_objectives.FRONT_X1[1] + BEYOND:g}",
    "minimum": f"the last point is less than {OFF:g} from the minimum of the sum of the losses",
    "goal": "steps before the sum of the losses was first at or below trainer.goal; of all starts the most",
    "mean": "of the starts that reached the goal",
    "published": "worst start, from Elich et al. (2024), table of the toy",
    "prototype": "what code of its own for the same formulas got",
}


def compare_points(collection: Collection, out: Path, words: Mapping[str, str]) -> tuple[str, list[Path]]:
    """Writes comparison.csv, trajectories.png and report.html into `out`. Returns the table as text, and the files.

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
    objectives = objectives_of(collection.runs)
    groups = groups_of(collection.runs, objectives)
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


# ---------------------------------------------------------------- the table


def _table(groups: Sequence[Group], goal: object, lowest: tuple[float, float]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells, without empty columns."""
    lines = [_cells(group, lowest) for group in groups]
    left_out = set() if goal is not None else {"at the goal", "steps", "mean steps"}
    left_out |= {heading for heading in KNOWN if not any(line[heading] for line in lines)}
    headings = [heading for heading in lines[0] if heading not in left_out]
    return headings, [[line[heading] or ABSENT for heading in headings] for line in lines]


def _cells(group: Group, lowest: tuple[float, float]) -> dict[str, str]:
    """Heading -> cell of a group."""
    return {
        "strategy": group.label,
        "rate": f"{group.rate:g}",
        "starts": str(len(group.ways)),
        "on the front": str(sum(way.on_front for way in group.ways)),
        "at the minimum": str(sum(way.at(lowest) for way in group.ways)),
        "at the goal": str(sum(way.steps is not None for way in group.ways)),
        "steps": NEVER if group.slowest is None else str(group.slowest),
        "mean steps": NEVER if group.mean is None else f"{group.mean:.0f}",
        "published steps": group.published,
        "prototype": group.prototype,
    }


def _notes(head: Sequence[str], goal: object, objectives: Objectives) -> list[str]:
    notes = [f"losses: {objectives.scaled}"] if objectives.scaled else []
    notes += [f"starts: {NOTES['start']}", f"on the front: {NOTES['front']}", f"at the minimum: {NOTES['minimum']}"]
    if "steps" in head:
        notes += [f"at the goal, steps: {NOTES['goal']} ({goal})", f"mean steps: {NOTES['mean']}"]
    others = [name for name in KNOWN if name in head]
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
