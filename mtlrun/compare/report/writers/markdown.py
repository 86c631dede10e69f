"""A comparison as Markdown.

The table is written by hand: `DataFrame.to_markdown` needs a further package, tabulate, and escapes no cell. A label
with a | would break its table.
"""

from collections.abc import Iterable

from mtlrun.compare.records import Comparison
from mtlrun.compare.report.opening import details, next_steps, opening
from mtlrun.compare.report.pair_tables import pair_tables
from mtlrun.compare.report.result_table import lines, mark, table
from mtlrun.compare.report.rounding import probability, with_interval
from mtlrun.compare.report.table_notes import by_kind, reading
from mtlrun.util.terminal import printable


def as_markdown(comparison: Comparison) -> str:
    """The Markdown text: headings, a table, lists, and commands as code blocks."""
    columns = table(comparison)
    out = [f"## {escape(comparison.title)}", "", " ".join(map(_sentence, opening(comparison))), ""]
    steps = [f"- {word}: `{printable(command)}`" for word, command in next_steps(comparison)]
    out += [*steps, ""] if steps else []
    out += [_line(["setting", *(column.text for column in columns)]), "|---|" + "---:|" * len(columns)]
    for row, cells in zip(comparison.rows, lines(columns, len(comparison.rows)), strict=True):
        out.append(_line([f"{row.label} {sign}" if (sign := mark(comparison, row)) else row.label, *cells]))
    if found := details(comparison):
        out += ["", " ".join(map(_sentence, found))]
    out += ["", *(f"- {escape(line)}" for line in reading(comparison))]
    for pairs in pair_tables(comparison):
        out += ["", escape(pairs.title), "", _line(["task", *(column.text for column in pairs.columns)])]
        out.append("|---|" + "---:|" * len(pairs.columns))
        cells_of = lines(pairs.columns, len(pairs.tasks))
        out += [_line([task, *cells]) for task, cells in zip(pairs.tasks, cells_of, strict=True)]
    if comparison.effects:
        out += ["", "| effect on Δm, percent | level | against | estimate | Holm p |", "|---|---|---|---:|---:|"]
        for effect in comparison.effects:
            estimate = with_interval(effect.estimate, signed=True)
            out.append(_line([effect.factor, effect.level, effect.against, estimate, probability(effect.p_holm)]))
    for title, findings in by_kind(comparison.findings):
        out += ["", f"### {title}", ""]
        for finding in findings:
            out.append(f"- {escape(finding.condition)}: {escape(finding.text)}")
            if finding.command:
                out += ["", "  ```sh", f"  {printable(finding.command)}", "  ```", ""]
    return "\n".join(out).rstrip() + "\n"


def escape(text: str) -> str:
    """Text escaped for Markdown."""
    text = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\`*_[]|~$":
        text = text.replace(character, f"\\{character}")
    return text


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(escape(cell) for cell in cells) + " |"


def _sentence(sentence: str) -> str:
    """A sentence of the verdict, with its command as code if it ends in one."""
    text, _, command = sentence.partition("\n")
    return f"{escape(text)} `{printable(command)}`" if command else escape(text)
