"""A comparison as a LaTeX table."""

from mtlrun.compare.records import Comparison
from mtlrun.compare.report.result_table import LEADER, lines, mark, table
from mtlrun.compare.report.table_notes import by_kind, reading
from mtlrun.util.terminal import printable

_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "±": r"$\pm$",
    "−": r"$-$",
    "×": r"$\times$",
    "Δ": r"$\Delta$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "∞": r"$\infty$",
    "—": "---",
    "–": "--",
    "…": r"\ldots{}",
    "·": r"$\cdot$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "²": r"$^2$",
    "½": r"$\frac12$",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
}


def as_latex(comparison: Comparison) -> str:
    """A table for a paper (packages booktabs and graphicx), with the verdict and the findings as comments."""
    columns = table(comparison)
    out = [f"% {printable(line)}" for line in [comparison.title, *comparison.verdict]]
    out += [
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{escape(' '.join(reading(comparison)))}}}",
        r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        f"  \\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"    \toprule",
        _line(["setting", *(escape(column.top) for column in columns)]),
        _line(["", *(escape(column.below) for column in columns)]),
        r"    \midrule",
    ]
    for row, cells in zip(comparison.rows, lines(columns, len(comparison.rows)), strict=True):
        out.append(_line([escape(row.label) + _superscript(mark(comparison, row)), *map(escape, cells)]))
    out += [r"    \bottomrule", r"  \end{tabular}}", r"\end{table}"]
    for title, findings in by_kind(comparison.findings):
        out.append(f"% {title}")
        for finding in findings:
            out.append(f"% - {printable(finding.condition)}: {printable(finding.text)}")
            out += [f"%     {printable(finding.command)}"] if finding.command else []
    return "\n".join(out) + "\n"


def escape(text: str) -> str:
    """Text escaped for LaTeX."""
    return "".join(_TEX.get(character, character) for character in printable(text))


def _line(cells: list[str]) -> str:
    return "    " + " & ".join(cells) + r" \\"


def _superscript(sign: str) -> str:
    """The sign of a row as a LaTeX superscript."""
    if not sign:
        return ""
    return "$^{*}$" if sign == LEADER else r"$^{\sim}$"
