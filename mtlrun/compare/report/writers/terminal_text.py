"""A comparison as text for the terminal."""

from collections.abc import Sequence

from rich.cells import cell_len

from mtlrun.compare.records import Comparison
from mtlrun.compare.report.pair_tables import PairTable, pair_tables
from mtlrun.compare.report.result_table import Column, lines, mark, table
from mtlrun.compare.report.table_notes import by_kind, effect_text, reading
from mtlrun.compare.report.wrapping import fill, wrap
from mtlrun.util.terminal import printable

NARROWEST = 50  # columns; a narrower terminal breaks lines itself
GAP = 2  # characters between the columns of the table
SIGN = 2  # characters before a label, for the sign from `mark`


def as_text(comparison: Comparison, width: int) -> str:
    """Title, verdict, table, how to read it, effects and findings, in lines of `width` columns.

    A command stays on one line, so that it can be copied.
    """
    width = max(width, NARROWEST)
    out = [*fill(comparison.title, width), ""]
    for sentence in comparison.verdict:
        out += fill(sentence, width)
    out += _table(comparison, width)
    for line in reading(comparison):
        out += fill(line, width, "  ")
    for pairs in pair_tables(comparison):
        out += ["", *fill(pairs.title, width), *_pair_table(pairs, width)]
    if comparison.effects:
        out += ["", "Effects on Δm, in percent (positive: the first is worse)"]
        for effect in comparison.effects:
            contrast = f"{effect.factor}: {effect.level} against {effect.against}"
            out += fill(f"  {contrast}: {effect_text(effect)}", width, "    ")
    for title, findings in by_kind(comparison.findings):
        out += ["", title]
        for finding in findings:
            out += fill(f"- {finding.condition}: {finding.text}", width, "  ")
            if finding.command:
                out.append(f"    {printable(finding.command)}")
    return "\n".join(out) + "\n"


def _table(comparison: Comparison, width: int) -> list[str]:
    """The table in as many blocks as it needs, and the full labels of rows whose label was cut."""
    labels = [row.label for row in comparison.rows]
    signs = [mark(comparison, row) for row in comparison.rows]
    return _in_blocks("setting", labels, signs, table(comparison), width)


def _pair_table(pairs: PairTable, width: int) -> list[str]:
    return _in_blocks("task", pairs.tasks, [""] * len(pairs.tasks), pairs.columns, width)[1:-1]


def _in_blocks(
    heading: str, names: Sequence[str], signs: Sequence[str], columns: Sequence[Column], width: int
) -> list[str]:
    blocks, limit = _blocks(names, columns, width)
    wrapped = [wrap(name, limit, 3, f"[{index}]") for index, name in enumerate(names, start=1)]
    out: list[str] = []
    for block in blocks:
        out += ["", *_block(heading, signs, block, [label for label, _ in wrapped])]
    out.append("")
    for index, (name, (_, cut)) in enumerate(zip(names, wrapped, strict=True), start=1):
        if cut:
            out += fill(f"[{index}] {name}", width)
    return out


def _blocks(names: Sequence[str], columns: Sequence[Column], width: int) -> tuple[list[list[Column]], int]:
    """The columns of each block, and the width of labels.

    All columns are in one block if they fit. Otherwise the columns that compare settings come first, then the tasks.
    """
    longest = max((cell_len(printable(name)) for name in names), default=10)
    spare = width - SIGN - sum(_width(column) + GAP for column in columns)
    if spare >= min(longest, 24):
        return [[*columns]], min(longest, spare)
    judged = [column for column in columns if not column.task]
    spare = width - SIGN - sum(_width(column) + GAP for column in judged)
    limit = min(longest, spare if spare >= 16 else max(16, 2 * width // 5 - 2))
    blocks: list[list[Column]] = []
    for group in (judged, [column for column in columns if column.task]):
        room = -1
        for column in group:
            if room < _width(column) + GAP:
                blocks.append([])
                room = width - SIGN - limit
            blocks[-1].append(column)
            room -= _width(column) + GAP
    return blocks, limit


def _block(heading: str, signs: Sequence[str], columns: Sequence[Column], labels: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a block: some columns beside the labels of the rows. A label may take several lines."""
    widths = [_width(column) for column in columns]
    first = max(cell_len(line) for line in [heading, *(line for label in labels for line in label)])

    def line(sign: str, label: str, cells: Sequence[str]) -> str:
        padded = [" " * (width - cell_len(cell)) + cell for width, cell in zip(widths, cells, strict=True)]
        return "  ".join([f"{sign:1} {label}{' ' * (first - cell_len(label))}", *padded]).rstrip()

    empty = [""] * len(columns)
    out = [line("", heading, [printable(column.top) for column in columns])]
    if any(column.below for column in columns):
        out.append(line("", "", [printable(column.below) for column in columns]))
    out.append("─" * (SIGN + first + sum(width + GAP for width in widths)))
    for sign, label, cells in zip(signs, labels, lines(columns, len(labels)), strict=True):
        out.append(line(sign, label[0], cells))
        out += [line("", more, empty) for more in label[1:]]
    return out


def _width(column: Column) -> int:
    return max(cell_len(text) for text in (printable(column.top), printable(column.below), *column.cells))
