"""docs/evidence.md from rows and their results."""

import shlex
from collections.abc import Mapping, Sequence

from evidence.measuring import Result, command
from evidence.row import Row
from evidence.sections import Section


def render(sections: Sequence[Section], results: Mapping[str, Result], machine: str) -> str:
    """The page as Markdown. results: by the name of the mechanism; a row without one was not run yet."""
    rows = [row for section in sections for row in section.rows]
    found = {row.mechanism: results[row.mechanism] for row in rows if row.mechanism in results}
    seconds = {tuple(command(row)): found[row.mechanism].seconds for row in rows if row.mechanism in found}
    commits = sorted({result.commit for result in found.values() if result.commit})
    failing = [name for name, result in found.items() if not result.holds]
    missing = len(rows) - len(found)
    holding = f"{len(found) - len(failing)} of {len(found)} hold"
    if missing:
        holding += f", {missing} {'was' if missing == 1 else 'were'} not run yet"
    lines = [
        "# Evidence",
        "",
        "Every mechanism, and an experiment that shows it at work: what must be seen (the criterion), what was",
        "measured, and the control. `make evidence` runs all of them and writes this page; `python -m evidence NAMES`",
        "runs some of them again, by experiment, section or mechanism. A row that fails stays here and says so. In",
        "front of what the column *command* has stands `mtlrun`. 19/20: below 0 in so many of so many seeds.",
        "± is half of the 95 % t-interval over seeds, p that of a paired t-test, not adjusted.",
        "The experiments on generated problems come with a checkout (`make setup`), not with the wheel.",
        "",
        f"**{holding}.** All commands together: {duration(sum(seconds.values()))}. {machine}",
        f"Code: {', '.join(commits) or 'none run yet'}.",
    ]
    if failing:
        lines += ["", f"Failing: {'; '.join(failing)}."]
    for section in sections:
        lines += [
            "",
            f"## {section.title}",
            "",
            "| mechanism | source | command | criterion | measured | control | time | |",
            "|---|---|---|---|---|---|---:|---|",
        ]
        lines += [_line(row, found.get(row.mechanism)) for row in section.rows]
    return "\n".join(lines) + "\n"


def _line(row: Row, result: Result | None) -> str:
    words = command(row)
    typed = shlex.join(words[1:]) if row.experiment else shlex.join(words)
    measured, took, state = "–", "–", "not run yet"
    if result is not None:
        measured, took, state = result.text, duration(result.seconds), "holds" if result.holds else "**fails**"
    cells = [row.mechanism, row.source, f"`{typed}`", row.criterion, measured, row.control or "–", took, state]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def duration(seconds: float) -> str:
    """12 s, 3 min 20 s."""
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"
