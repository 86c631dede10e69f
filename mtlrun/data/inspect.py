"""The warnings of `mtlrun check`. Each is a guess from the values.

This module has the warnings about inputs and groups. copies.py has those about copied rows, leaks.py those about inputs
that reveal a target.
"""

import re
import shlex

import numpy as np
import pandas as pd

from mtlrun.config.schema import Config
from mtlrun.data.copies import copied_rows, row_hashes
from mtlrun.data.dataset import Dataset, load_table
from mtlrun.data.doubts import ID_NAME, MIN_ROWS, declaration, in_words, is_identifier, notations_of
from mtlrun.data.expression import parse
from mtlrun.data.kinds import NUMBER, TEXT, kind_of, text_of
from mtlrun.data.leaks import leaks
from mtlrun.data.roles import input_notes, target_column
from mtlrun.data.targets import target_notes


def inspect(config: Config, dataset: Dataset) -> list[str]:
    """The warnings about inputs, groups, copied rows and targets, one line each."""
    table, _ = load_table(config.data)
    names = [c.name for c in dataset.spec.inputs]
    warnings = table.remember(("inspect", tuple(names)), lambda: _input_warnings(table.frame, names))
    warnings = [*warnings, *input_notes(config, names), *(n for t in dataset.targets.values() for n in target_notes(t))]
    split = config.data.split
    if split.by is None and split.column is None and split.files is None:
        targets = {target_column(config, t) for t in config.tasks}
        candidates = [str(c) for c in table.frame.columns if c not in targets and c != config.data.weight]
        warnings += [w for c in candidates if (w := _group_warning(table.frame[c], c))]
    rows = row_hashes(dataset, table.frame)
    first = np.ones(len(dataset.numeric), dtype=bool)
    if rows is not None:
        warnings += copied_rows(dataset, *rows)
        first = ~pd.Series(rows[0]).duplicated().to_numpy()
    for target in dataset.targets.values():
        task = config.tasks[target.task]
        # the expression of an auxiliary task may read inputs: the task is then a hint
        hint = parse(task.expression, "").names if task.expression and not task.main else ()
        warnings += leaks(target, dataset, np.flatnonzero(target.observed & first), hint)
    return warnings


# ---------------------------------------------------------------- inputs


def _input_warnings(frame: pd.DataFrame, names: list[str]) -> list[str]:
    warnings = []
    for name in names:
        series = frame[name]
        present = series.dropna()
        if not len(present):
            warnings.append(f"{name}: every value is missing")
        elif len(present) == len(series) and present.nunique() == 1:
            warnings.append(f"{name}: every value is {text_of(present.iloc[0])}")
        elif found := notations_of(series):
            what = in_words(found, present.unique())
            warnings.append(f"{name}: read as text, though it holds {what}; to read them: {declaration(name, found)}")
        elif is_identifier(series, name):
            warnings.append(f"{name}: nearly every value is different, like an identifier: leave it out of data.inputs")
    return warnings + _duplicates(frame, names)


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


def _group_warning(series: pd.Series, name: str) -> str | None:
    """A warning if the values look like names of groups with a few rows each."""
    present = series.dropna()
    kind = kind_of(series)
    if len(present) < MIN_ROWS or kind not in (TEXT, NUMBER) or not 1.5 <= len(present) / present.nunique() <= 50:
        return None
    if notations_of(present):
        return None
    values = kind.comparable(present)
    if kind is NUMBER and not np.array_equal(values, np.rint(values)):
        return None
    codes = pd.factorize(values)[0]
    counts = np.bincount(codes)
    mean = len(present) / len(counts)
    if len(counts) < 10:
        return None
    if kind is NUMBER and not ID_NAME.search(name.lower()):
        # Ages and years repeat too. So require many values of about equal frequency that have no gaps or whose rows
        # are contiguous in the file.
        blocks = 1 + int((np.diff(codes) != 0).sum())
        together = blocks <= 1.2 * len(counts) and not (np.diff(values) >= 0).all()
        gapless = np.ptp(values) + 1 <= 1.1 * len(counts)
        if len(counts) < 100 or counts.max() > 10 * np.median(counts) or not (together or gapless):
            return None
    return (
        f"{name}: {len(counts)} values of {mean:.1f} rows on average; if they are groups, "
        f"a random split tears them apart: {_override('data.split.by', name)}"
    )


def _override(key: str, value: str) -> str:
    """`key=value` as typed in a shell, with inner quotes for Hydra if needed and outer quotes for the shell."""
    if not re.fullmatch(r"[A-Za-z_]([\w./ -]*\w)?", value, flags=re.ASCII):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        value = f"'{escaped}'"
    return shlex.quote(f"{key}={value}")
