"""The table of a comparison as data: columns with a cell for every row."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mtlrun.compare.records import CONFLICTS, DEAD, UNTRAINED, Comparison, Cost, Row, TaskColumn
from mtlrun.compare.report import rounding
from mtlrun.compare.report.rounding import ABSENT, percent, probability

LEADER, LIKE_LEADER = "*", "~"


@dataclass(frozen=True)
class Column:
    """A column of the table: its heading in two lines, a cell for every row, and whether it shows a task."""

    top: str
    below: str
    cells: Sequence[str]
    task: bool = False

    @property
    def text(self) -> str:
        """Both lines of the heading as one line."""
        return f"{self.top} {self.below}".strip()


def table(comparison: Comparison) -> list[Column]:
    """The columns besides the labels of the rows. Columns that would say the same for every row are left out."""
    return [column for columns in COLUMNS for column in columns(comparison)]


def lines(columns: Sequence[Column], rows: int) -> list[list[str]]:
    """The cells of each of the `rows` rows."""
    return [[column.cells[index] for column in columns] for index in range(rows)]


# ---------------------------------------------------------------- columns


def _seeds(comparison: Comparison) -> list[Column]:
    rows = comparison.rows
    if len({row.seeds for row in rows if not row.trivial}) < 2:
        return []
    return [Column("seeds", "", [str(len(row.seeds)) if row.seeds or not row.ensemble else ABSENT for row in rows])]


def _tasks(comparison: Comparison) -> list[Column]:
    return [
        Column(
            column.task,
            direction(column),
            rounding.column([row.figures.get(column.task) for row in comparison.rows]),
            task=True,
        )
        for column in comparison.columns
    ]


def _delta_m(comparison: Comparison) -> list[Column]:
    columns = [Column("Δm %", "", rounding.column([row.delta_m for row in comparison.rows], signed=True))]
    if any(len(column.metrics) > 1 for column in comparison.columns):
        cells = rounding.column([row.delta_m_metrics for row in comparison.rows], signed=True)
        columns.append(Column("Δm %", "per metric", cells))
    return columns


def _rank(comparison: Comparison) -> list[Column]:
    if all(row.rank is None for row in comparison.rows):
        return []
    return [Column("mean", "rank", [ABSENT if row.rank is None else f"{row.rank:.2f}" for row in comparison.rows])]


def _against_reference(comparison: Comparison) -> list[Column]:
    rows = comparison.rows
    if not has_tests(comparison):
        return []
    adjusted = [ABSENT if row.against is None else probability(row.against.p_holm) for row in rows]
    return [
        Column("P(better)", "%", [wins(row) for row in rows]),
        Column("Holm", "p", adjusted),
        Column("verdict", "", [verdict_word(comparison, row) for row in rows]),
    ]


def _below_fixed(comparison: Comparison) -> list[Column]:
    if not has_fixed_weights(comparison):
        return []
    words = {None: ABSENT, True: "yes", False: "no"}
    return [Column("below", "fixed", [words[row.dominated_by_fixed] for row in comparison.rows])]


def _trials(comparison: Comparison) -> list[Column]:
    if all(row.trials < 2 for row in comparison.rows):
        return []
    return [Column("trials", "", [str(row.trials) for row in comparison.rows])]


def _time(comparison: Comparison) -> list[Column]:
    if not timed(comparison):
        return []
    return [Column("time", "× sum", [relative_time(row.cost) for row in comparison.rows])]


def _failures(comparison: Comparison) -> list[Column]:
    cells = [failures(row) for row in comparison.rows]
    return [Column("failures", "", [cell or ABSENT for cell in cells])] if any(cells) else []


COLUMNS: tuple[Callable[[Comparison], list[Column]], ...] = (
    _seeds,
    _tasks,
    _delta_m,
    _rank,
    _against_reference,
    _below_fixed,
    _trials,
    _time,
    _failures,
)


# ---------------------------------------------------------------- cells


def wins(row: Row) -> str:
    """Percent of the seeds in which the row is better than the reference, with the interval."""
    against = row.against
    if against is None or math.isnan(against.wins):
        return ABSENT
    return f"{100 * against.wins:.0f} [{100 * against.wins_low:.0f}, {100 * against.wins_high:.0f}]"


def verdict_word(comparison: Comparison, row: Row) -> str:
    """`better`, `worse`, `equivalent within 1 %`, `undecided`, `not trained to the end`; `reference` for that row."""
    if row.label == comparison.reference:
        return "reference"
    if row.against is None:
        return ABSENT
    word = row.against.verdict
    words = {"equivalent": f"equivalent within {comparison.margin:g} %", "untrained": UNTRAINED}
    return words.get(word, word)


def failures(row: Row) -> str:
    """`2 failed, 1 unfinished`, or an empty string."""
    counted = ((row.failed, "failed"), (row.unfinished, "unfinished"))
    return ", ".join(f"{count} {word}" for count, word in counted if count)


def mark(comparison: Comparison, row: Row) -> str:
    """The sign of the leader, the sign of a row that cannot be distinguished from the leader, or an empty string."""
    if row.label == comparison.leader:
        return LEADER
    return LIKE_LEADER if row.like_leader and comparison.leader is not None else ""


def relative_time(cost: Cost | None) -> str:
    """Time per step as a multiple of that of the plain sum."""
    return ABSENT if cost is None or cost.relative is None else f"{cost.relative:.2f}"


def has_tests(comparison: Comparison) -> bool:
    """Whether some row is compared with the reference."""
    return any(row.against is not None for row in comparison.rows)


def timed(comparison: Comparison) -> bool:
    """Whether the time per step of some row can be compared with that of the plain sum."""
    return any(row.cost is not None and row.cost.relative is not None for row in comparison.rows)


def has_fixed_weights(comparison: Comparison) -> bool:
    """Whether there is a sweep of fixed weights with which rows are compared."""
    return any(row.dominated_by_fixed is not None for row in comparison.rows)


def direction(column: TaskColumn) -> str:
    """`rmse ↓ (dollars)`: the metric, its direction, and the unit."""
    return f"{column.metric} {'↑' if column.higher else '↓'}" + (f" ({column.unit})" if column.unit else "")


# ---------------------------------------------------------------- conflicts and dead units


def diagnostics(comparison: Comparison) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Conflicts and dead units: the headings of the columns, and for every setting its label and cells in percent."""
    shares = {(entry.label, entry.task, entry.metric): entry.estimate for entry in comparison.diagnostics}
    figures = list(dict.fromkeys((task, metric) for _, task, metric in shares))
    labels = list(dict.fromkeys(label for label, _, _ in shares))
    columns = [
        Column(_diagnostic(*figure), "", rounding.column([percent(shares.get((label, *figure))) for label in labels]))
        for figure in figures
    ]
    return [column.top for column in columns], list(zip(labels, lines(columns, len(labels)), strict=True))


def _diagnostic(task: str, metric: str) -> str:
    return "conflicts" if metric == CONFLICTS else f"dead: {task or 'trunk'} layer {metric.removeprefix(DEAD)}"
