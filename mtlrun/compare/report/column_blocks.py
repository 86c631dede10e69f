"""Divides the columns of a table into blocks that fit a page of 1280 pixels."""

import math
import re
from collections.abc import Sequence

from mtlrun.compare.report.result_table import Column

ROOM = 960  # pixels of a table besides the settings, on a page of 1280
LETTER, MARGINS = 9, 16  # pixels of a wide letter in a table, and beside a column
INTERVAL = re.compile(r" (?=±|\[)")  # the blank before an interval


def parts(cell: str) -> list[str]:
    """The parts between which the lines of a cell may break: `0.76` and `± 0.01`; of other cells the words."""
    return INTERVAL.split(cell) if INTERVAL.search(cell) else cell.split(" ")


def in_blocks(columns: Sequence[Column]) -> list[list[Column]]:
    """The columns in as few blocks as fit the page, of even width."""
    fewest = len(_filled(columns, ROOM))
    narrowest = math.ceil(sum(map(least_width, columns)) / fewest)
    limits = [*range(narrowest, ROOM, 10), ROOM]
    return next(blocks for limit in limits if len(blocks := _filled(columns, limit)) == fewest)


def _filled(columns: Sequence[Column], limit: int) -> list[list[Column]]:
    """Blocks of at most `limit` pixels, one filled after the other. A column that is wider is alone in its block."""
    blocks: list[list[Column]] = [[]]
    for column in columns:
        if blocks[-1] and sum(map(least_width, [*blocks[-1], column])) > limit:
            blocks.append([])
        blocks[-1].append(column)
    return blocks


def least_width(column: Column) -> int:
    """The pixels of a column whose lines break wherever they may."""
    words = [*column.text.split(" "), *(part for cell in column.cells for part in parts(cell))]
    return LETTER * max(map(len, words)) + MARGINS
