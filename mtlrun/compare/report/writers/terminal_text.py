"""A comparison as text for the terminal."""

from collections.abc import Sequence

from mtlrun.compare.records import Comparison
from mtlrun.compare.report.opening import details, next_steps, opening
from mtlrun.compare.report.pair_tables import pair_tables
from mtlrun.compare.report.result_table import Column, has_tests, lines, mark, table
from mtlrun.compare.report.table_notes import by_kind, effect_text, reading
from mtlrun.compare.report.wrapping import fill, wrap
from mtlrun.util.shell import quoted
from mtlrun.util.terminal import printable
from mtlrun.util.text_tables import table_lines, table_width

NARROWEST = 60  # columns; in a narrower terminal, the terminal breaks the lines
PAGE = 100  # width of sentences in a pipe or a file
LABELS = (34, 26, 20)  # most characters in a line of a label: the first that needs the fewest blocks


def as_text(comparison: Comparison, terminal: int | None) -> str:
    """Title, opening, table, the rest of the verdict, how to read the table, effects and findings.

    terminal: the columns of the terminal. A table that is wider comes in several blocks. None: the text goes to a pipe
    or a file, where the table is one block of any width. A command stays on one line, so that it can be copied.
    """
    room = None if terminal is None else max(terminal, NARROWEST)
    width = room or PAGE
    out = [*fill(comparison.title, width), "", *_opening(comparison, width), *_table(comparison, room)]
    if found := details(comparison):
        out += [*_sentences(found, width), ""]
    for line in reading(comparison):
        out += fill(line, width, "  ")
    out.append(f"What a word means: mtlrun explain {quoted('Holm p' if has_tests(comparison) else 'Δm')}")
    for pairs in pair_tables(comparison):
        labels = [wrap(task, LABELS[0], 3, f"[{index}]")[0] for index, task in enumerate(pairs.tasks, start=1)]
        blocks = _in_blocks("task", ["\n".join(label) for label in labels], pairs.columns, room)
        out += ["", *fill(pairs.title, width), *blocks[1:]]
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


def opening_text(comparison: Comparison, terminal: int | None) -> str:
    """What `as_text` begins with, without the title: what to do, and a command for each next step."""
    return "\n".join(_opening(comparison, PAGE if terminal is None else max(terminal, NARROWEST)))


def table_text(comparison: Comparison, terminal: int | None) -> str:
    """The table alone."""
    return "\n".join(_table(comparison, None if terminal is None else max(terminal, NARROWEST)))


def _opening(comparison: Comparison, width: int) -> list[str]:
    steps = [f"  {word:8}{printable(command)}" for word, command in next_steps(comparison)]
    return [*_sentences(opening(comparison), width), *steps]


def _sentences(sentences: Sequence[str], width: int) -> list[str]:
    """The sentences, broken into lines; a command at the end of one has a line of its own."""
    out = []
    for sentence in sentences:
        text, _, command = sentence.partition("\n")
        out += fill(text, width)
        out += [f"    {printable(command)}"] if command else []
    return out


def _table(comparison: Comparison, width: int | None) -> list[str]:
    """The table in as many blocks as it needs, and the full labels of rows whose label was cut."""
    columns, signs = table(comparison), [mark(comparison, row) for row in comparison.rows]
    wrapped, blocks = _fewest_blocks([row.label for row in comparison.rows], signs, columns, width)
    marked = [_marked(sign, label) for sign, (label, _) in zip(signs, wrapped, strict=True)]
    out = [*_lines_of("  setting", marked, blocks), ""]
    for index, (row, (_, cut)) in enumerate(zip(comparison.rows, wrapped, strict=True), start=1):
        if cut:
            out += fill(f"[{index}] {row.label}", width or PAGE)
    return out


def _fewest_blocks(
    labels: Sequence[str], signs: Sequence[str], columns: Sequence[Column], width: int | None
) -> tuple[list[tuple[list[str], bool]], list[list[Column]]]:
    """The labels in lines, and the blocks of the table: labels are narrower where that saves a block."""
    found = []
    for most in LABELS:
        wrapped = [wrap(label, most, 3, f"[{index}]") for index, label in enumerate(labels, start=1)]
        marked = [_marked(sign, lines) for sign, (lines, _) in zip(signs, wrapped, strict=True)]
        found.append((wrapped, _blocks(columns, marked, width)))
    uncut = [pair for pair in found if not any(cut for _, cut in pair[0])]
    return min(uncut or found[:1], key=lambda pair: len(pair[1]))


def _in_blocks(heading: str, labels: Sequence[str], columns: Sequence[Column], width: int | None) -> list[str]:
    """The lines of a table, in blocks that fit."""
    return _lines_of(heading, labels, _blocks(columns, labels, width))


def _lines_of(heading: str, labels: Sequence[str], blocks: Sequence[Sequence[Column]]) -> list[str]:
    """The lines of the blocks of a table, each after an empty line."""
    return [line for block in blocks for line in ["", *table_lines(*_cells(heading, labels, block))]]


def _marked(sign: str, label: Sequence[str]) -> str:
    """The lines of a label behind the sign of its row."""
    return "\n".join([f"{sign:1} {label[0]}", *(f"  {line}" for line in label[1:])])


def _blocks(columns: Sequence[Column], labels: Sequence[str], width: int | None) -> list[list[Column]]:
    """The columns of each block. rich would wrap the cells of a table that does not fit; blocks keep figures whole.

    All columns are in one block if they fit. Otherwise the columns that compare settings come first, then the tasks.
    """
    if width is None or _width(labels, columns) <= width:
        return [[*columns]]
    blocks: list[list[Column]] = []
    for task in (False, True):
        blocks.append([])
        for column in columns:
            if column.task is not task:
                continue
            if blocks[-1] and _width(labels, [*blocks[-1], column]) > width:
                blocks.append([])
            blocks[-1].append(column)
    return [block for block in blocks if block]


def _width(labels: Sequence[str], columns: Sequence[Column]) -> int:
    return table_width(*_cells("  setting", labels, columns))


def _cells(heading: str, labels: Sequence[str], columns: Sequence[Column]) -> tuple[list[str], list[list[str]]]:
    """The headings and rows of a block: some columns beside the labels of the rows."""
    below = any(column.below for column in columns)
    headings = [f"{column.top}\n{column.below}" if below else column.top for column in columns]
    rows = [[label, *cells] for label, cells in zip(labels, lines(columns, len(labels)), strict=True)]
    return [f"{heading}\n" if below else heading, *headings], rows
