"""Renders a comparison in a format: text for the terminal, Markdown, a LaTeX table, or CSV."""

import shutil
from typing import Literal

from mtlrun.compare.records import Comparison
from mtlrun.compare.report.writers.csv_lines import as_csv
from mtlrun.compare.report.writers.latex import as_latex
from mtlrun.compare.report.writers.markdown import as_markdown
from mtlrun.compare.report.writers.terminal_text import as_text

Format = Literal["text", "markdown", "latex", "csv"]


def render(comparison: Comparison, format: Format, width: int | None = None) -> str:
    """The comparison in a format, with a newline at the end. width: columns of text; None for those of the terminal."""
    match format:
        case "text":
            return as_text(comparison, width or shutil.get_terminal_size((100, 24)).columns)
        case "markdown":
            return as_markdown(comparison)
        case "latex":
            return as_latex(comparison)
        case "csv":
            return as_csv(comparison)
