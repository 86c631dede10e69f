"""The warnings of `mtlrun check`. Each is a guess from the values. leaks/ has those about leaks."""

import numpy as np
import pandas as pd

from mtlrun.config.schema import Config
from mtlrun.data.dataset import Dataset, load_table, unseen_classes
from mtlrun.data.doubts import (
    code_of_digits,
    declaration,
    in_words,
    is_identifier,
    marks_of_missing,
    notations_of,
    one_class_twice,
)
from mtlrun.data.kinds import NUMBER, TEXT, has_cells, kind_of, text_of
from mtlrun.data.leaks.warnings import leak_warnings
from mtlrun.data.notation import columns_override
from mtlrun.data.roles import input_notes, target_column
from mtlrun.data.table import Table
from mtlrun.data.targets import target_notes

_FIRST = 1000  # these cells are compared before whole columns


def inspect(config: Config, dataset: Dataset) -> list[str]:
    """The warnings about inputs, targets and leaks, one line each."""
    table, _ = load_table(config)
    names = [c.name for c in dataset.spec.inputs]
    warnings = table.remember(
        ("inspect", tuple(names)),
        lambda: _input_warnings({name: table.columns[name] for name in names}, _identifiers(table, dataset)),
    )
    warnings = [*warnings, *input_notes(config, names), *(n for t in dataset.targets.values() for n in target_notes(t))]
    warnings += unseen_classes(dataset.targets, dataset.split)
    targets = [c for t in dataset.targets if (c := target_column(config, t)) is not None and c not in names]
    for column in dict.fromkeys(targets):
        warnings += _code_warnings(table.columns[column], column) + _mark_warnings(table.columns[column], column)
    return warnings + leaks(config, dataset)


def leaks(config: Config, dataset: Dataset) -> list[str]:
    """The warnings about leaks, one line each."""
    table, _ = load_table(config)
    return leak_warnings(config, dataset, table.columns, _identifiers(table, dataset))


def _identifiers(table: Table, dataset: Dataset) -> set[str]:
    """The columns that name rows."""
    names = [c.name for c in dataset.spec.columns]
    key = ("identifiers", tuple(names))
    return table.remember(key, lambda: {name for name in names if is_identifier(table.columns[name], name)})


# ---------------------------------------------------------------- inputs


def _input_warnings(columns: dict[str, pd.Series], identifiers: set[str]) -> list[str]:
    lines = [line for name, series in columns.items() for line in _column_warnings(series, name, name in identifiers)]
    return lines + _duplicates(columns)


def _column_warnings(series: pd.Series, name: str, identifier: bool) -> list[str]:
    if not has_cells(series):
        return [f"{name}: every value is missing"]
    if _constant(series):
        return [f"{name}: every value is {text_of(series.iloc[0])}"]
    if found := notations_of(series):
        kind, what = kind_of(series).name, in_words(found, series.dropna().unique().tolist())
        return [f"{name}: read as {kind}, though it holds {what}; to read them: {declaration(name, found)}"]
    if identifier:
        return [f"{name}: nearly every value is different, like an identifier: leave it out of data.inputs"]
    if kind_of(series) is TEXT:
        return [
            *_code_warnings(series, name),
            *(f"{name}: {s}" for s in one_class_twice(series.dropna().unique().tolist())),
        ]
    return _mark_warnings(series, name)


def _code_warnings(series: pd.Series, name: str) -> list[str]:
    """A warning if a column of digits is text, as a cell has a leading zero."""
    if (cell := code_of_digits(series)) is None:
        return []
    declared = columns_override({name: {"number": {}}})
    return [f"{name}: read as text, as {cell!r} has a leading zero; to read numbers: {declared}"]


def _mark_warnings(series: pd.Series, name: str) -> list[str]:
    """A warning for each number of a column that probably marks missing values."""
    return [
        f"{name}: {value:g} in {count:,} cells stands apart from all other numbers, like a mark of missing values; if "
        f"it is one: {columns_override({name: {'missing': [int(value)]}})}"
        for value, count in marks_of_missing(series).items()
    ]


def _constant(series: pd.Series) -> bool:
    """Whether all cells are the same. In most columns the first cells show that they are not."""
    cells = series.to_numpy() if kind_of(series) is NUMBER else series
    return all(bool((cells[:count] == series.iloc[0]).all()) for count in (2, len(series)))


def _duplicates(columns: dict[str, pd.Series]) -> list[str]:
    """A warning for each column with the same cells as an earlier column."""
    warnings = []
    alike: dict[int, list[str]] = {}  # hash of the first cells in row order -> columns
    for name, series in columns.items():
        first = _comparable(series.iloc[:_FIRST] if len(series) > _FIRST else series)
        key = hash((first if first.dtype.kind == "f" else pd.util.hash_array(first, categorize=False)).tobytes())
        others = alike.setdefault(key, [])
        if others and has_cells(series):
            values = pd.Series(_comparable(series))
            if same := next((o for o in others if values.equals(pd.Series(_comparable(columns[o])))), None):
                warnings.append(f"{name}: the same values as {same}")
        others.append(name)
    return warnings


def _comparable(series: pd.Series) -> np.ndarray:
    return kind_of(series).comparable(series)
