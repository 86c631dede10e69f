"""Reads cells by a declared notation, and shows a notation as it is written in YAML."""

import json
import re
from dataclasses import fields, is_dataclass
from typing import Any

import pandas as pd
import yaml

from mtlrun.config.schema import ColumnConfig
from mtlrun.data.notation.dates import read_dates, read_times
from mtlrun.data.notation.numbers import read_numbers


def read(cells: pd.Series, column: ColumnConfig) -> pd.Series:
    """The values of text cells `[n]`; missing for a cell that is not in the notation of the column.

    Numbers become float64, dates datetime64[us] in UTC, times timedelta64[us] since midnight. Text stays as it is.
    """
    if column.number is not None:
        return pd.Series(read_numbers(cells, column.number), cells.index)
    if column.date is not None:
        return read_dates(cells, column.date)
    if column.time is not None:
        return read_times(cells, column.time)
    return cells


def shown(column: ColumnConfig) -> dict[str, Any]:
    """The settings of a column that differ from their defaults, as plain values for YAML."""

    return _given(column)


def as_yaml(column: ColumnConfig) -> str:
    """The settings of a column as YAML on one line: {number: {decimal: ","}}."""
    return yaml_flow(shown(column))


def yaml_flow(plain: Any) -> str:
    """Plain values as YAML on one line, which the command line takes too."""
    if isinstance(plain, dict):
        return "{" + ", ".join(f"{yaml_flow(key)}: {yaml_flow(value)}" for key, value in plain.items()) + "}"
    if isinstance(plain, list):
        return "[" + ", ".join(map(yaml_flow, plain)) + "]"
    is_word = isinstance(plain, str) and re.fullmatch(r"[A-Za-z_]\w*", plain, re.ASCII)
    return str(plain) if is_word and yaml.safe_load(plain) == plain else json.dumps(plain, ensure_ascii=False)


def _given(settings: Any) -> dict[str, Any]:
    values = {f.name: getattr(settings, f.name) for f in fields(settings) if getattr(settings, f.name) != f.default}
    return {name: _given(value) if is_dataclass(value) else value for name, value in values.items()}
