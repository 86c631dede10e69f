"""The record of a benchmark: a table on the terminal, and in results/ as Markdown, with all figures as CSV."""

import csv
import datetime
import shlex
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtlrun.util.text_tables import table_lines

Row = dict[str, Any]


def by_side(rows: Sequence[Row], base: str) -> list[Row]:
    """One line per case and side from rows of case, repeat, side, seconds and further figures.

    Seconds as median and range; their median as a multiple of that of the side `base` in the same case; medians of the
    further figures.
    """
    times: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        times.setdefault((row["case"], row["side"]), []).append(row["seconds"])
    lines = []
    for (case, side), seconds in times.items():
        same = [row for row in rows if (row["case"], row["side"]) == (case, side)]
        median = statistics.median(seconds)
        lines.append(
            {
                "case": case,
                "side": side,
                "seconds (range)": f"{median:.2f} ({min(seconds):.2f}–{max(seconds):.2f})",
                f"times {base}": f"{median / statistics.median(times[case, base]):.2f}",
                **{
                    key: f"{statistics.median(row[key] for row in same):.4g}"
                    for key in same[0]
                    if key not in ("case", "side", "seconds", "repeat")
                },
            }
        )
    return lines


def record(name: str, lines: Sequence[Row], rows: Sequence[Row], notes: Sequence[str] = ()) -> None:
    """Print `lines` (one dictionary per line, the same keys in all) and write DATE_NAME.md and .csv in results/.

    The Markdown holds the command, machine and versions, the lines and `notes`; the CSV holds `rows`. Nothing of the
    machine but processor, cores and versions.
    """
    columns = list(lines[0])
    cells = [columns, *([str(line[c]) for c in columns] for line in lines)]
    print("\n".join(table_lines(cells[0], cells[1:])))

    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    table = ["| " + " | ".join(line) + " |" for line in [cells[0], ["---"] * len(columns), *cells[1:]]]
    text = "\n\n".join([f"# {name}", f"    {command}", machine(), "\n".join(table), *notes])
    path = Path(__file__).parent / "results" / f"{datetime.datetime.now():%Y-%m-%d_%H%M}_{name.replace(' ', '_')}"
    path.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    with open(path.with_suffix(".csv"), "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"results: {path}.md, .csv")


def machine() -> str:
    """Processor, cores, versions, commit."""
    # torch comes with this: a benchmark that measures its children's memory calls it last
    import torch

    from mtlrun.storage import environment

    hardware, versions, git = environment.hardware(torch.device("cpu")), environment.versions(), environment.git()
    commit = f", commit {git['commit'][:10]}{' with changes' if git['dirty'] else ''}" if git else ""
    return (
        f"{hardware['cpu']}, {hardware['cores']} cores; Python {versions['python']}, torch {versions['torch']}, "
        f"mtlrun {versions['mtlrun']}{commit}"
    )
