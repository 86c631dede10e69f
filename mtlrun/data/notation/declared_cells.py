"""Reads cells by a declared notation, and shows a notation as it is written in YAML."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import pandas as pd
import yaml

from mtlrun.config.schema import ColumnConfig
from mtlrun.data.notation.dates import read_dates, read_times
from mtlrun.data.notation.numbers import read_numbers
from mtlrun.util.interpolation import escaped
from mtlrun.util.shell import is_plain, override


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


def columns_override(columns: Mapping[str, Any]) -> str:
    """The setting `data.columns` with these columns, as typed in a shell: 'data.columns={zip: {number: {}}}'.

    The command line takes no column such as "größe" or "2019" there. The result then is words for the YAML.
    """
    if all(map(is_plain, columns)):
        return override("data.columns", columns)
    return f"in the YAML of the table, under data, columns: {yaml_flow(dict(columns))}"


def yaml_flow(plain: Any) -> str:
    """Plain values as YAML on one line. Texts are escaped for OmegaConf, but not keys, in which it replaces nothing."""
    if isinstance(plain, dict):
        return "{" + ", ".join(f"{_word(key)}: {yaml_flow(value)}" for key, value in plain.items()) + "}"
    if isinstance(plain, list):
        return "[" + ", ".join(map(yaml_flow, plain)) + "]"
    return _word(escaped(plain)) if isinstance(plain, str) else json.dumps(plain)


def _word(text: str) -> str:
    is_word = re.fullmatch(r"[A-Za-z_]\w*", text, re.ASCII) and yaml.safe_load(text) == text
    return text if is_word else json.dumps(text, ensure_ascii=False)


def _given(settings: Any) -> dict[str, Any]:
    values = {f.name: getattr(settings, f.name) for f in fields(settings) if getattr(settings, f.name) != f.default}
    return {name: _given(value) if is_dataclass(value) else value for name, value in values.items()}
