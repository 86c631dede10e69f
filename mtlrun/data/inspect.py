"""The warnings of `mtlrun check`. Each is a guess from the values. leaks/ has those about what flatters a model."""

import numpy as np
import pandas as pd

from mtlrun.config.schema import Config
from mtlrun.data.dataset import Dataset, load_table
from mtlrun.data.doubts import dates_as_text, is_identifier, nearly_numbers
from mtlrun.data.kinds import kind_of, text_of
from mtlrun.data.leaks.warnings import leak_warnings
from mtlrun.data.roles import input_notes
from mtlrun.data.targets import target_notes
from mtlrun.util.errors import listing

_FIRST = 1000  # cells that are compared before whole columns are


def inspect(config: Config, dataset: Dataset) -> list[str]:
    """The warnings about inputs, targets and leaks, one line each."""
    table, _ = load_table(config.data)
    names = [c.name for c in dataset.spec.inputs]
    warnings = table.remember(("inspect", tuple(names)), lambda: _input_warnings(table.frame, names))
    warnings = [*warnings, *input_notes(config, names), *(n for t in dataset.targets.values() for n in target_notes(t))]
    return warnings + leak_warnings(config, dataset, table.frame)


# ---------------------------------------------------------------- inputs


def _input_warnings(frame: pd.DataFrame, names: list[str]) -> list[str]:
    warnings = []
    for name in names:
        series = frame[name]
        first = series.first_valid_index()
        if first is None:
            warnings.append(f"{name}: every value is missing")
        elif first == 0 and _constant(series):
            warnings.append(f"{name}: every value is {text_of(series.iloc[0])}")
        elif words := nearly_numbers(series):
            warnings.append(
                f"{name}: read as text, though nearly all values are numbers; not {listing(map(repr, words), 3)}"
            )
        elif dates_as_text(series):
            warnings.append(
                f"{name}: dates written as text, read as categories; leave the column out of data.inputs, "
                "or store it as dates in Parquet"
            )
        elif is_identifier(series, name):
            warnings.append(f"{name}: nearly every value is different, like an identifier: leave it out of data.inputs")
    return warnings + _duplicates(frame, names)


def _constant(series: pd.Series) -> bool:
    """Whether all cells are the same. Of most columns the first ones tell that they are not."""
    return all(bool((part == part.iloc[0]).fillna(False).all()) for part in (series.iloc[:2], series))


def _duplicates(frame: pd.DataFrame, names: list[str]) -> list[str]:
    """A warning for each column with the same cells as an earlier column."""
    warnings = []
    alike: dict[int, list[str]] = {}  # hash of the first cells in row order -> columns
    first = frame.iloc[:_FIRST]
    for name in names:
        key = hash(pd.util.hash_array(_comparable(first[name]), categorize=False).tobytes())
        others = alike.setdefault(key, [])
        if others and frame[name].notna().any():
            values = pd.Series(_comparable(frame[name]))
            if same := next((o for o in others if values.equals(pd.Series(_comparable(frame[o])))), None):
                warnings.append(f"{name}: the same values as {same}")
        others.append(name)
    return warnings


def _comparable(series: pd.Series) -> np.ndarray:
    return kind_of(series).comparable(series)
