"""Lays out tables of text with rich, for a terminal, a pipe or a log."""

import io
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from mtlrun.util.terminal import plain_lines

if TYPE_CHECKING:
    from rich.table import Table

UNLIMITED = 1_000_000  # columns of the page that rich prints to, so that it never cuts or wraps a cell
GAP = 2  # characters between columns


def table_lines(
    headings: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,), rule: bool = True
) -> list[str]:
    """The lines of a table: headings, a rule, and the rows. Text columns and headings may have several lines.

    The columns `left` are aligned left, the others right. Nothing is cut or wrapped: a table is as wide as its cells.
    """
    console = _console()
    console.print(_table(headings, rows, left, rule))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def table_width(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The number of terminal columns that `table_lines` takes."""
    console = _console()
    return console.measure(_table(headings, rows)).maximum


def _console() -> Any:
    from rich.console import Console  # takes 50 ms, so it is imported only for a table

    return Console(file=io.StringIO(), width=UNLIMITED, color_system=None, force_terminal=False, force_jupyter=False)


def _table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,), rule: bool = True
) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD if rule else None, show_edge=False, pad_edge=False, padding=(0, GAP - rule, 0, 0))
    for index, heading in enumerate(headings):
        table.add_column(Text(plain_lines(heading)), justify="left" if index in left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(plain_lines(cell)) for cell in row))
    return table
