"""The tables of pairs of tasks as data: the gain of each task by each other, and the cosines of their gradients."""

from collections.abc import Sequence
from dataclasses import dataclass

from mtlrun.compare.records import Affinity, Comparison
from mtlrun.compare.report.result_table import Column
from mtlrun.compare.report.rounding import column

SHOWN = "*"  # before a significant gain or loss


@dataclass(frozen=True)
class PairTable:
    """A table with a row for each task, and a column for each task that it is trained with."""

    title: str
    tasks: Sequence[str]
    columns: Sequence[Column]


def pair_tables(comparison: Comparison) -> list[PairTable]:
    """The tables of gains and of cosines; those without figures are left out."""
    found = comparison.affinity
    if found is None:
        return []
    tables = []
    if found.gains:
        title = f"Gain of a task with another, percent of it alone (positive: better; {SHOWN} shown)"
        tables.append(PairTable(title, found.tasks, _gains(found)))
    if found.cosines:
        columns = [
            Column(f"with {other}", "", column([found.cosines.get((task, other)) for task in found.tasks], signed=True))
            for other in found.tasks
        ]
        tables.append(PairTable("Cosine of the gradients of two tasks", found.tasks, columns))
    return tables


def _gains(found: Affinity) -> list[Column]:
    """A column for each partner, and one for the mean over partners."""
    columns = []
    for other in found.tasks:
        cells = column([found.gains.get((task, other)) for task in found.tasks], signed=True)
        columns.append(Column(f"with {other}", "", _marked(found, [(task, other) for task in found.tasks], cells)))
    if found.mean_gains:
        cells = column([found.mean_gains.get(task) for task in found.tasks], signed=True)
        columns.append(Column("mean", "", _marked(found, [(task,) for task in found.tasks], cells)))
    return columns


def _marked(found: Affinity, names: Sequence[tuple[str, ...]], cells: Sequence[str]) -> list[str]:
    """The cells of a column, with a mark before significant ones."""
    shown = [found.verdicts.get(pair) in ("better", "worse") for pair in names]
    return [f"{SHOWN} {cell}" if is_shown else cell for cell, is_shown in zip(cells, shown, strict=True)]
