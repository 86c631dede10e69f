"""Renders a comparison in a format: text for the terminal, Markdown, a LaTeX table, or CSV."""

from typing import Literal

from mtlrun.compare.records import Comparison
from mtlrun.compare.report.writers.csv_lines import as_csv
from mtlrun.compare.report.writers.latex import as_latex
from mtlrun.compare.report.writers.markdown import as_markdown
from mtlrun.compare.report.writers.terminal_text import as_text

Format = Literal["text", "markdown", "latex", "csv"]


def render(comparison: Comparison, format: Format, width: int | None = None) -> str:
    """The comparison in a format, with a newline at the end.

    width: columns of the terminal, for text; None for a pipe or a file, where no table is divided.
    """
    match format:
        case "text":
            return as_text(comparison, width)
        case "markdown":
            return as_markdown(comparison)
        case "latex":
            return as_latex(comparison)
        case "csv":
            return as_csv(comparison)
