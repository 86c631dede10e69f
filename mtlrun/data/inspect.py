"""The warnings of `mtlrun check`. Each is a guess from the values. leaks/ has those about what flatters a model."""

import numpy as np
import pandas as pd

from mtlrun.config.schema import Config
from mtlrun.data.dataset import Dataset, load_table
from mtlrun.data.doubts import declaration, in_words, is_identifier, marks_of_missing, notations_of, one_class_twice
from mtlrun.data.kinds import TEXT, kind_of, text_of
from mtlrun.data.leaks.warnings import leak_warnings
from mtlrun.data.notation import yaml_flow
from mtlrun.data.roles import input_notes, target_column
from mtlrun.data.targets import target_notes


def inspect(config: Config, dataset: Dataset) -> list[str]:
    """The warnings about inputs, targets and leaks, one line each."""
    table, _ = load_table(config)
    names = [c.name for c in dataset.spec.inputs]
    warnings = table.remember(("inspect", tuple(names)), lambda: _input_warnings(table.frame, names))
    warnings = [*warnings, *input_notes(config, names), *(n for t in dataset.targets.values() for n in target_notes(t))]
    targets = [c for t in dataset.targets if (c := target_column(config, t)) is not None and c not in names]
    warnings += [line for column in dict.fromkeys(targets) for line in _mark_warnings(table.frame[column], column)]
    return warnings + leak_warnings(config, dataset, table.frame)


# ---------------------------------------------------------------- inputs


def _input_warnings(frame: pd.DataFrame, names: list[str]) -> list[str]:
    return [line for name in names for line in _column_warnings(frame[name], name)] + _duplicates(frame, names)


def _column_warnings(series: pd.Series, name: str) -> list[str]:
    present = series.dropna()
    if not len(present):
        return [f"{name}: every value is missing"]
    if len(present) == len(series) and present.nunique() == 1:
        return [f"{name}: every value is {text_of(present.iloc[0])}"]
    if found := notations_of(series):
        what = in_words(found, present.unique())
        return [
            f"{name}: read as {kind_of(series).name}, though it holds {what}; to read them: {declaration(name, found)}"
        ]
    if is_identifier(series, name):
        return [f"{name}: nearly every value is different, like an identifier: leave it out of data.inputs"]
    if kind_of(series) is TEXT:
        return [f"{name}: {line}" for line in one_class_twice(present.unique())]
    return _mark_warnings(series, name)


def _mark_warnings(series: pd.Series, name: str) -> list[str]:
    """A warning for each number of a column that rather marks missing values."""
    return [
        f"{name}: {value:g} in {count:,} cells stands apart from all other numbers, like a mark of missing values; if "
        f"it is one: data.columns={yaml_flow({name: {'missing': [int(value)]}})}"
        for value, count in marks_of_missing(series).items()
    ]


def _duplicates(frame: pd.DataFrame, names: list[str]) -> list[str]:
    """A warning for each column with the same cells as an earlier column."""
    warnings = []
    alike: dict[int, list[str]] = {}  # hash of the cells in row order -> columns
    for name in names:
        if not frame[name].notna().any():
            continue
        values = _comparable(frame[name])
        key = hash(pd.util.hash_array(values).tobytes())
        same = [o for o in alike.get(key, []) if pd.Series(values).equals(pd.Series(_comparable(frame[o])))]
        if same:
            warnings.append(f"{name}: the same values as {same[0]}")
        alike.setdefault(key, []).append(name)
    return warnings


def _comparable(series: pd.Series) -> np.ndarray:
    return kind_of(series).comparable(series)
