"""A comparison as a LaTeX table."""

from mtlrun.compare.records import Comparison
from mtlrun.compare.report.opening import details, opening
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
    out = [f"% {printable(line)}" for line in [comparison.title, *opening(comparison), *details(comparison)]]
    out += [
        r"\begin{table}",
        r"\centering",
        f"\\caption{{{escape(' '.join(reading(comparison)))}}}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        f"{_tabular(comparison)}}}",
        r"\end{table}",
    ]
    for title, findings in by_kind(comparison.findings):
        out.append(f"% {title}")
        for finding in findings:
            out.append(f"% - {printable(finding.condition)}: {printable(finding.text)}")
            out += [f"%     {printable(finding.command)}"] if finding.command else []
    return "\n".join(out) + "\n"


def _tabular(comparison: Comparison) -> str:
    """The tabular, by pandas. Our escapes are used: those of pandas do not cover arrows, signs and brackets."""
    import pandas as pd  # 0.3 s

    columns = table(comparison)
    headings = [("setting", ""), *((escape(column.top), escape(column.below)) for column in columns)]
    cells = [
        [escape(row.label) + _superscript(mark(comparison, row)), *map(escape, of_row)]
        for row, of_row in zip(comparison.rows, lines(columns, len(comparison.rows)), strict=True)
    ]
    frame = pd.DataFrame(cells, columns=pd.MultiIndex.from_tuples(headings))
    style = frame.style.hide(axis="index")
    latex = style.to_latex(hrules=True, sparse_columns=False, column_format="l" + "r" * len(columns))
    return str(latex).rstrip()


def escape(text: str) -> str:
    """Text escaped for LaTeX."""
    return "".join(_TEX.get(character, character) for character in printable(text))


def _superscript(sign: str) -> str:
    """The sign of a row as a LaTeX superscript."""
    if not sign:
        return ""
    return "$^{*}$" if sign == LEADER else r"$^{\sim}$"
