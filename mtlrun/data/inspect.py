"""What `mtlrun check` says about the data: a row of facts for each task, and warnings.

Every warning is a guess from the values. Where chance could give the same picture the thresholds are
chosen so that it practically never does; they are constants at the top.
"""

import re
import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mtlrun.config.schema import Config
from mtlrun.data.columns import InputColumn, dates_as_text, input_notes, nearly_numbers, target_column
from mtlrun.data.dataset import Dataset, load_table, width
from mtlrun.data.expression import parse
from mtlrun.data.labels import observed_labels, raw_labels
from mtlrun.data.table import as_numbers, as_texts, column_kind, text_of
from mtlrun.data.targets import Target, bin_edges, class_text, target_notes
from mtlrun.data.targets import task_rows as labels_of
from mtlrun.tasks import type_of
from mtlrun.util.errors import listing

MIN_ROWS = 20  # fewer rows prove nothing
IDENTIFIER_SHARE = 0.95  # different values / rows, from which text is an identifier
RANK_CORRELATION = 0.9999
ETA_SQUARED = 0.9999  # variance of a target within equal values of a column: at most 1 - this
CHANCE = 1e-9  # probability of the observed purity if column and target were independent
COPIED_SHARE = 0.1  # of the rows of val or test that are copies of training rows, above which it is said
TELLING = 0.05  # probability, at most, that two rows agree in a column by chance, for it to tell rows apart
COPY_AGREEMENT = 0.9  # of the rows that agree in all other columns, how many agree in this one too, if they are copies
ID_NAME = re.compile(
    r"(^|_)(id|ids|uid|uuid|guid|key|index|idx|group|patient|subject|person|user|customer|client|site|household|house|"
    r"batch|session|family|school|plot|record|row|rownames|unnamed: 0)(_|$)"
)


def inspect(config: Config, dataset: Dataset) -> list[str]:
    """The warnings about inputs, groups, copied rows and targets, one line each; empty if there are none."""
    table, _ = load_table(config.data)
    names = [c.name for c in dataset.spec.inputs]
    warnings = table.remember(("inspect", tuple(names)), lambda: _input_warnings(table.frame, names))
    warnings = [*warnings, *input_notes(config, names), *(n for t in dataset.targets.values() for n in target_notes(t))]
    split = config.data.split
    if split.by is None and split.column is None and split.files is None:
        targets = {target_column(config, t) for t in config.tasks}
        candidates = [str(c) for c in table.frame.columns if c not in targets and c != config.data.weight]
        warnings += [w for c in candidates if (w := _group_warning(table.frame[c], c))]
    rows = _row_hashes(dataset, table.frame)
    first = np.ones(len(dataset.numeric), dtype=bool)
    if rows is not None:
        warnings += _copies(dataset, *rows)
        first = ~pd.Series(rows[0]).duplicated().to_numpy()
    for target in dataset.targets.values():
        task = config.tasks[target.task]
        # an auxiliary task may well say something about the inputs: it is a hint
        hint = parse(task.expression, "").names if task.expression and task.role != "main" else ()
        warnings += _leaks(target, dataset, np.flatnonzero(target.observed & first), hint)
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
        elif odd := nearly_numbers(series):
            warnings.append(
                f"{name}: read as text, though nearly all values are numbers; not {listing(map(repr, odd), 3)}"
            )
        elif dates_as_text(series):
            warnings.append(
                f"{name}: dates written as text, read as categories; leave the column out of data.inputs, "
                "or store it as dates in Parquet"
            )
        elif is_identifier(series, name):
            warnings.append(f"{name}: nearly every value is different, like an identifier: leave it out of data.inputs")
    return warnings + _duplicates(frame, names)


def is_identifier(series: pd.Series, name: str) -> bool:
    """Whether a column names its rows rather than describes them.

    Text of which at least 95 % is different; whole numbers that are all different and either rise or
    fall from row to row, fill their range, or are called id, key, index or the like.
    """
    present = series.dropna()
    rows, kind = len(present), column_kind(series)
    if rows < MIN_ROWS or kind not in ("text", "number"):
        return False
    distinct = present.nunique()
    if kind == "text":
        return distinct >= IDENTIFIER_SHARE * rows
    values = as_numbers(present)
    if distinct < rows or not np.array_equal(values, np.rint(values)):
        return False
    steps = np.diff(values)
    ordered = bool((steps > 0).all() or (steps < 0).all())
    return ordered or np.ptp(values) < 1.5 * rows or ID_NAME.search(name.lower()) is not None


def _duplicates(frame: pd.DataFrame, names: list[str]) -> list[str]:
    warnings = []
    alike: dict[int, list[str]] = {}  # columns by a hash of their cells, in the order of the rows
    for name in names:
        values = _comparable(frame[name])
        if not frame[name].notna().any():
            continue
        key = hash(pd.util.hash_array(values).tobytes())
        same = [o for o in alike.get(key, []) if pd.Series(values).equals(pd.Series(_comparable(frame[o])))]
        if same:
            warnings.append(f"{name}: the same values as {same[0]}")
        alike.setdefault(key, []).append(name)
    return warnings


def _comparable(series: pd.Series) -> np.ndarray:
    return as_texts(series) if column_kind(series) == "text" else as_numbers(series)


def _group_warning(series: pd.Series, name: str) -> str | None:
    """A warning if the values look like the names of groups of a few rows each."""
    present = series.dropna()
    kind = column_kind(series)
    if len(present) < MIN_ROWS or kind not in ("text", "number") or not 1.5 <= len(present) / present.nunique() <= 50:
        return None
    if dates_as_text(present):
        return None
    values = as_texts(present) if kind == "text" else as_numbers(present)
    if kind == "number" and not np.array_equal(values, np.rint(values)):
        return None
    codes = pd.factorize(values)[0]
    counts = np.bincount(codes)
    mean = len(present) / len(counts)
    if len(counts) < 10:
        return None
    if kind == "number" and not ID_NAME.search(name.lower()):
        # Ages and years repeat as well: ask for many values, about equally frequent, that number the
        # groups without a gap or stand together in the file.
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
    """`key=value` as it is typed in a shell: quotes within for Hydra where it needs them, around it for the shell."""
    if not re.fullmatch(r"[A-Za-z_]([\w./ -]*\w)?", value, flags=re.ASCII):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        value = f"'{escaped}'"
    return shlex.quote(f"{key}={value}")


# ---------------------------------------------------------------- copied rows


def _row_hashes(dataset: Dataset, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray] | None:
    """A hash [N] of each row's inputs and labels, and one without the column that tells rows apart best.

    Identifiers do not count, as copies may have been numbered anew. None if no column tells rows apart:
    where every column has few values, rows are alike by chance.
    """
    names = [c.name for kind in ("numeric", "category") for c in dataset.spec.columns if c.kind == kind]
    inputs = zip(names, [*dataset.numeric.T, *dataset.codes.T], strict=True)
    columns = [values for name, values in inputs if not is_identifier(frame[name], name)]
    for target in dataset.targets.values():
        columns += [target.values, target.observed]
    agreement = [float(((np.bincount(pd.factorize(c)[0] + 1) / len(c)) ** 2).sum()) for c in columns]
    best = int(np.argmin(agreement))
    if agreement[best] > TELLING:
        return None
    rows = pd.DataFrame(dict(enumerate(columns)))
    others = rows.drop(columns=best)
    return (
        pd.util.hash_pandas_object(rows, index=False).to_numpy(),
        pd.util.hash_pandas_object(others, index=False).to_numpy(),
    )


def _copies(dataset: Dataset, rows: np.ndarray, others: np.ndarray) -> list[str]:
    """A warning for val or test if many of its rows were copied from training rows.

    Rows without anything special, such as those of children in a census, are equal without being
    copies: they have neighbours that differ in one column alone. A row counts as a copy only if nearly
    all training rows that agree with it in every column but the most telling one agree in that one too.
    """
    warnings, train = [], dataset.split.train
    for part in ("val", "test"):
        members = dataset.split.parts()[part]
        same, similar = _occurrences(rows, members, train), _occurrences(others, members, train)
        copied = int(((same > 0) & (same >= COPY_AGREEMENT * similar)).sum())
        if len(members) >= MIN_ROWS and copied > COPIED_SHARE * len(members):
            warnings.append(
                f"{part}: {copied} of {len(members)} rows are exact copies of training rows (inputs and "
                "targets), which flatters the figures: remove the copies from the table"
            )
    return warnings


def _occurrences(keys: np.ndarray, rows: np.ndarray, train: np.ndarray) -> np.ndarray:
    """How often the key of each of `rows` [n] occurs among the keys of `train`."""
    known, counts = np.unique(keys[train], return_counts=True)
    at = np.searchsorted(known, keys[rows]).clip(max=len(known) - 1)
    found: np.ndarray = np.where(known[at] == keys[rows], counts[at], 0)
    return found


# ---------------------------------------------------------------- targets among the inputs


def _leaks(target: Target, dataset: Dataset, rows: np.ndarray, hint: Sequence[str] = ()) -> list[str]:
    """Warnings for inputs that give the target away, judged by the labelled rows `rows`, of which none is a copy.
    Those in `hint` may."""
    if len(rows) < MIN_ROWS:
        return []
    labels = target.values[rows].astype(np.float64)
    warnings, numeric, category = [], 0, 0
    for column in dataset.spec.columns:
        if column.kind == "numeric":
            values = dataset.numeric[rows, numeric].astype(np.float64)
            numeric += 1
            present = ~np.isnan(values)
        else:
            values = dataset.codes[rows, category].astype(np.float64)
            category += 1
            present = values >= 0
        if column.hidden or column.name in (target.column, *hint) or present.sum() < MIN_ROWS:
            continue
        if why := _gives_away(values[present], labels[present], target, column):
            warnings.append(f"{column.name}: {why}; is it a copy of the target? then leave it out of data.inputs")
    return warnings


def _gives_away(values: np.ndarray, labels: np.ndarray, target: Target, column: InputColumn) -> str | None:
    numeric = column.kind == "numeric"
    if not target.classes:
        if numeric and abs(_rank_correlation(values, labels)) >= RANK_CORRELATION:
            return f"orders the rows as the target of {target.task} does"
        if _determines_number(values, labels):
            return f"determines the target of {target.task}: equal values go with equal targets"
        return None
    if _determines_class(values, labels.astype(np.int64)):
        return f"determines the target of {target.task}: every value goes with one class"
    if numeric and _separates(values, labels.astype(np.int64)):
        return f"separates the classes of {target.task} without a single exception"
    return None


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's rank correlation; 0 if one of both is constant."""
    a, b = pd.Series(x).rank().to_numpy(), pd.Series(y).rank().to_numpy()
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else 0.0


def _repeated(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows whose value occurs at least twice, and the number (from 0) of each one's value."""
    codes = pd.factorize(values)[0]
    rows = np.flatnonzero(np.bincount(codes)[codes] >= 2)
    return rows, pd.factorize(codes[rows])[0]


def _determines_number(values: np.ndarray, labels: np.ndarray) -> bool:
    rows, codes = _repeated(values)
    y = labels[rows]
    if len(rows) < MIN_ROWS or codes.max() < 1 or y.std() <= 1e-9 * max(1.0, float(np.abs(y).max())):
        return False
    means = np.bincount(codes, y) / np.bincount(codes)
    return float(((y - means[codes]) ** 2).sum()) <= (1 - ETA_SQUARED) * float(((y - y.mean()) ** 2).sum())


def _determines_class(values: np.ndarray, labels: np.ndarray) -> bool:
    """Whether every repeated value goes with one class, and chance would practically never do that.

    If the column told nothing, k rows of the same value would share their class with probability
    sum_c p_c^k; the product over the values is compared with CHANCE.
    """
    rows, codes = _repeated(values)
    if len(rows) < MIN_ROWS:
        return False
    y = labels[rows]
    shares = np.bincount(y) / len(y)
    low, high = np.full(codes.max() + 1, shares.size), np.full(codes.max() + 1, -1)
    np.minimum.at(low, codes, y)
    np.maximum.at(high, codes, y)
    if (low != high).any() or shares.max() == 1:
        return False
    sizes, times = np.unique(np.bincount(codes), return_counts=True)
    # the logarithm of a sum of powers, taken relative to the largest share so that nothing underflows
    top = shares.max()
    per_size = sizes * np.log(top) + np.log(((shares[:, None] / top) ** sizes).sum(0))
    return float(times @ per_size) < np.log(CHANCE)


def _separates(values: np.ndarray, labels: np.ndarray) -> bool:
    """Whether the classes occupy ranges of the column that do not overlap, with enough rows to mean it."""
    counts = np.bincount(labels)
    known = np.flatnonzero(counts)
    if len(known) < 2 or np.sort(counts[known])[-2] < 5:
        return False
    low, high = np.full(len(counts), np.inf), np.full(len(counts), -np.inf)
    np.minimum.at(low, labels, values)
    np.maximum.at(high, labels, values)
    order = known[np.argsort(low[known], kind="stable")]
    return bool((high[order[:-1]] < low[order[1:]]).all())


# ---------------------------------------------------------------- facts


def describe(config: Config, dataset: Dataset) -> list[dict[str, Any]]:
    """One row per task: `task`, `type`, `target`, `expression`, `role`, `loss`, `primary`, `classes`, `bins`, `train`,
    `val`, `test`.

    `target` is a column, or None where `expression` gives the labels. A reconstruction has neither, and `inputs`, how
    many encoded columns it is about, instead of what follows. `bins` are the inner edges of quantised labels.
    `classes` maps each class (as text) to its share of the training labels, or is empty; `positive` is
    the class (as text) that a binary task's probability is about; for a
    regression `mean` and `std` of the training labels are given in the column's own unit instead.
    `train`, `val`, `test` count labels. With row weights, `effective` is Kish's effective number of
    training labels, (Σw)²/Σw².
    """
    facts = []
    for task, target in dataset.targets.items():
        train, settings = dataset.split.train, config.tasks[task]
        labels = labels_of(target, train)
        row: dict[str, Any] = {
            "task": task,
            "type": target.type,
            "target": target.column,
            "expression": settings.expression,
            "role": settings.role,
            "loss": target.loss,
            "primary": target.primary,
            "classes": {},
            "bins": [],
        }
        if target.classes:
            counts = np.bincount(labels, minlength=len(target.classes))
            row["classes"] = {
                class_text(c): float(n) / len(labels) for c, n in zip(target.classes, counts, strict=True)
            }
            if type_of(target.type).has_two_classes:
                row["positive"] = class_text(target.classes[1])
            if settings.bins is not None:
                table, _ = load_table(config.data)
                raw = raw_labels(task, settings, table)
                assert raw is not None, "bins are of labels"
                row["bins"] = bin_edges(task, settings, raw, observed_labels(task, settings, table)).tolist()
        elif not settings.has_labels:
            row["inputs"] = width(dataset, task)
        else:
            row |= {"mean": float(labels.mean()), "std": float(labels.std())}
        row |= {part: int(target.observed[rows].sum()) for part, rows in dataset.split.parts().items()}
        if dataset.weight is not None:
            weight = dataset.weight[train][target.observed[train]].astype(np.float64)
            total = float((weight**2).sum())
            row["effective"] = float(weight.sum()) ** 2 / total if total > 0 else 0.0
        facts.append(row)
    return facts
