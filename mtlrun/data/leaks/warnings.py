"""All warnings of leaks about the inputs and the split of a run."""

import numpy as np

from mtlrun.config.schema import Config
from mtlrun.data.columns import Columns
from mtlrun.data.dataset import Dataset
from mtlrun.data.expression import parse
from mtlrun.data.leaks.column_scores import MIN_ROWS
from mtlrun.data.leaks.copies import copied_rows, row_hashes
from mtlrun.data.leaks.near_copies import nearly_copied_rows
from mtlrun.data.leaks.pairs import telling_pairs
from mtlrun.data.leaks.row_groups import alike, groups_of, in_blocks, is_named
from mtlrun.data.leaks.row_order import changes_slowly, later_targets, neighbours_alike
from mtlrun.data.leaks.sample import draw
from mtlrun.data.leaks.telling_inputs import Told, may_be_means, mean_of_target, telling, telling_gaps, telling_parts
from mtlrun.data.roles import target_column
from mtlrun.data.targets import Target
from mtlrun.util.errors import listing
from mtlrun.util.shell import override


def leak_warnings(config: Config, dataset: Dataset, columns: Columns, identifiers: set[str]) -> list[str]:
    """One line for each leak that the values suggest. Figures are from a sample of the rows.

    identifiers: the columns that name rows; copies of a row may differ in them.
    """
    split = config.data.split
    at_random = split.by is None and split.column is None and split.files is None
    grouped = _groups(config, dataset, columns) if at_random else {}
    dated = _dates(dataset) if at_random else {}
    warnings = [*grouped.values(), *dated.values()]
    if at_random and not warnings:
        warnings = _neighbours(config, dataset, columns)
    hashes = row_hashes(dataset, identifiers)
    copies = copied_rows(dataset, *hashes) if hashes is not None else []
    warnings += copies or nearly_copied_rows(dataset)
    told: dict[str, str] = {}
    for target in dataset.targets.values():
        task = config.tasks[target.task]
        # the expression of an auxiliary task may read inputs: the task is then a hint
        hint = parse(task.expression, "").names if task.expression and not task.main else ()
        for column, how in _told(target, dataset, columns, {*hint, *grouped, *dated}, identifiers).items():
            told[column] = f"{told[column]}; {how}" if column in told else how
    for column, how in told.items():
        warnings.append(
            f"{column}: {how}; if it follows from the target, or is known only later, leave it out: "
            f"{override('data.future', [*(config.data.future or []), column])}"
        )
    return warnings


def _told(target: Target, dataset: Dataset, columns: Columns, skipped: set[str], identifiers: set[str]) -> Told:
    """The inputs that predict a target, each with a phrase on how."""
    if target.observed.sum() < MIN_ROWS or target.values[target.observed].std() == 0:
        return {}
    sample = draw(target, dataset, columns, skipped, identifiers)
    if len(sample) < MIN_ROWS:
        return {}
    told = telling(sample)
    told = {**telling_parts(sample, columns), **telling_gaps(sample), **told}
    names = {c.name for c in sample.columns}
    cells = {c.name: v for c, v in dataset.cells() if not c.is_category and c.name in names}
    told = {**_means(target, {n: cells[n] for n in may_be_means(sample) if n not in told}), **told}
    told = {**later_targets(cells, target, _order(dataset)), **told}
    return {**telling_pairs(sample, set(told)), **told}


def _means(target: Target, cells: dict[str, np.ndarray]) -> Told:
    if len(target.classes) > 2:
        return {}
    found = {}
    for name, values in cells.items():
        rows = np.flatnonzero(target.observed & ~np.isnan(values))
        if len(rows) >= MIN_ROWS and mean_of_target(values[rows], target.values[rows]):
            found[name] = f"holds means of {target.task} over groups of rows, those of val and test among them"
    return found


def _order(dataset: Dataset) -> np.ndarray:
    """The row numbers [N] in the order of the first column of dates, else in the order of the table."""
    for column, values in dataset.cells():
        if not column.is_category and column.date:
            return np.argsort(values, kind="stable")
    return np.arange(len(dataset.numeric))


def _dates(dataset: Dataset) -> dict[str, str]:
    """A warning for each column of dates in whose order a target changes slowly."""
    found = {}
    for column, values in dataset.cells():
        if column.is_category or not column.date:
            continue
        slow = [t.task for t in dataset.targets.values() if changes_slowly(values, t)]
        if slow:
            found[column.name] = (
                f"{column.name}: rows next to each other in time have nearly the same {listing(slow)}, and a random "
                "split puts the moments just before and after a test row into train: split by time, with a column of "
                "the words train, val and test (data.split.column)"
            )
    return found


def _neighbours(config: Config, dataset: Dataset, columns: Columns) -> list[str]:
    """A warning if rows next to each other in the table have nearly the same target. It names a column of groups."""
    tasks = [t.task for t in dataset.targets.values() if neighbours_alike(t)]
    if not tasks:
        return []
    blocks = {name: in_blocks(columns[name]) for name in _named(config, columns)}
    counts = {name: count for name, count in blocks.items() if count is not None}
    widest = min(counts, key=lambda name: counts[name]) if counts else None
    offer = f"; the rows of each {widest} stand together: {override('data.split.by', widest)}" if widest else ""
    return [
        f"rows next to each other in the table have nearly the same {listing(tasks)}, and a random split puts the "
        "neighbours of a test row into train: if they are a series or belong together, keep them together "
        f"(data.split.by or data.split.column){offer}"
    ]


def _named(config: Config, columns: Columns) -> list[str]:
    """The names of the columns that hold neither a target nor the weight."""
    targets = {target_column(config, t) for t in config.tasks}
    return [str(c) for c in columns if c not in targets and c != config.data.weight]


def _groups(config: Config, dataset: Dataset, columns: Columns) -> dict[str, str]:
    """A warning for each column whose values are groups with alike targets."""
    found = {}
    for name in _named(config, columns):
        groups = groups_of(columns[name], name)
        if groups is None:
            continue
        found_shares = {t.task: alike(groups, t, is_named(name)) for t in dataset.targets.values()}
        shares = {task: share for task, share in found_shares.items() if share is not None}
        if shares:
            task, share = max(shares.items(), key=lambda item: item[1])
            count = int(groups.max()) + 1
            found[name] = (
                f"{name}: {count} values of {(groups >= 0).sum() / count:.1f} rows on average, which share "
                f"{share:.0%} of the variance of {task}; if they are groups, a random split tears them apart: "
                f"{override('data.split.by', name)}"
            )
    return found
