"""The split of the rows: train, val (selects a checkpoint) and test (used once).

The split depends only on the table, the split settings and the seed. Runs with different tasks, losses or rates share
it, so their figures can be compared in pairs.
"""

import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtlrun.config.schema import SplitConfig
from mtlrun.data.kinds import as_texts
from mtlrun.util.errors import RequestError, listing, nearest

PARTS = ("train", "val", "test")
WORDS = {"train": 0, "val": 1, "valid": 1, "validation": 1, "dev": 1, "test": 2}


@dataclass(frozen=True)
class Split:
    """Row indices of each part: int64, sorted, disjoint."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray

    def parts(self) -> dict[str, np.ndarray]:
        return {"train": self.train, "val": self.val, "test": self.test}


def split_rows(
    frame: pd.DataFrame, config: SplitConfig, train_rows: int | None = None, files: np.ndarray | None = None
) -> Split:
    """Splits the rows of `frame`.

    files: the part of each row (0 train, 1 val, 2 test), from the file that it came from, if `config.files` is set.
    train_rows: keeps this number of random training rows. A smaller number gives a subset of a larger.

    A split by fractions leaves out the rest if the fractions add up to less than 1. With `config.by` no group is split
    and the fractions hold approximately; a row without a group is a group by itself. If a given split has no val part,
    the fraction `val` of the part `val_from` becomes val. With `config.test` 0, test may be
    empty. With `config.all_rows` all rows are train.

    Raises RequestError for a missing column, for other words than those in WORDS in the split column, for an empty
    part, and for more `train_rows` than training rows.
    """
    seed = config.seed or 0
    groups = row_groups(frame, config.by)
    if config.all_rows:
        part = np.zeros(len(frame), dtype=np.int64)
    elif files is not None or config.column is not None:
        part = files.copy() if files is not None else _given(frame, str(config.column))
        if not (part == 1).any():
            source = np.flatnonzero(part == PARTS.index(config.val_from))
            members = groups[source] if groups is not None else None
            chosen = _draw(members, len(source), [1 - config.val, config.val], seed)
            part[source[chosen == 1]] = 1
    else:
        part = _draw(groups, len(frame), [config.train, config.val, config.test], seed)
    rows = [np.flatnonzero(part == p) for p in range(3)]
    for name, members in zip(PARTS, rows, strict=True):
        if not len(members) and not config.all_rows and (name, config.test) != ("test", 0):
            raise RequestError(
                f"data.split: no row is in {name} ({_origin(frame, config, groups)})\n"
                "allowed: at least one row in each of train, val, test"
            )
    if train_rows is not None:
        if train_rows > len(rows[0]):
            raise RequestError(
                f"data.train_rows: found {train_rows}\nallowed: at most {len(rows[0])}, the rows of train"
            )
        order = generator(seed, "train_rows").permutation(len(rows[0]))
        rows[0] = np.sort(rows[0][order[:train_rows]])
    return Split(*(r.astype(np.int64) for r in rows))


def generator(seed: int, purpose: str) -> np.random.Generator:
    """A random generator that depends only on the seed and the purpose."""
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(purpose.encode())]))


def row_groups(frame: pd.DataFrame, by: str | None) -> np.ndarray | None:
    """The group of each row as a number from 0. A row without a group is a group by itself."""
    if by is None:
        return None
    require_column(by, frame, "data.split.by")
    codes = pd.factorize(frame[by])[0].astype(np.int64)
    alone = codes < 0
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    return codes


def require_column(name: str, frame: pd.DataFrame, key: str) -> None:
    """Raises RequestError with `key` unless the table has the column `name`."""
    if name not in frame.columns:
        columns = [str(c) for c in frame.columns]
        raise RequestError(f"{key}: no column is named {name!r}{nearest(name, columns)}\ncolumns: {listing(columns)}")


def _given(frame: pd.DataFrame, column: str) -> np.ndarray:
    """The part of each row (0, 1, 2), read from the column."""
    require_column(column, frame, "data.split.column")
    words = pd.Series(as_texts(frame[column]), dtype=object).str.strip().str.lower()
    part = words.map(WORDS)
    if part.isna().any():
        unknown = sorted({"(missing)" if not w else repr(w) for w in words[part.isna()]})
        raise RequestError(
            f"data.split.column: {column} holds {listing(unknown)} in {int(part.isna().sum())} rows\n"
            f"allowed: {listing(WORDS)}"
        )
    return np.array(part, dtype=np.int64)


def _draw(groups: np.ndarray | None, rows: int, fractions: list[float], seed: int) -> np.ndarray:
    """A random part for each row, by `fractions`. Rows that are left out get the part len(fractions)."""
    random = generator(seed, "split")
    if groups is None:
        ends = np.rint(np.cumsum(fractions) * rows).astype(np.int64)
        part = np.empty(rows, dtype=np.int64)
        part[random.permutation(rows)] = np.searchsorted(ends, np.arange(rows), side="right")
        return part
    members = np.unique(groups, return_inverse=True)[1]
    return _assign(np.bincount(members), fractions, random)[members]


def _assign(sizes: np.ndarray, fractions: list[float], random: np.random.Generator) -> np.ndarray:
    """A part for each group. In random order, each group goes to the part that is then filled to the smallest share.

    The last groups go to parts that are still empty, so that even a few groups fill every part.
    """
    left_over = 1 - sum(fractions)
    targets = [*fractions, left_over] if left_over > 1e-9 else list(fractions)
    filled = [0.0] * len(targets)
    part = np.empty(len(sizes), dtype=np.int64)
    order = random.permutation(len(sizes)).tolist()
    for position, group in enumerate(order):
        size = float(sizes[group])
        empty = [p for p in range(len(fractions)) if filled[p] == 0]
        must_fill = len(empty) >= len(order) - position
        choices = empty if must_fill and empty else range(len(targets))
        chosen = min(choices, key=lambda p: (filled[p] + size) / targets[p])
        filled[chosen] += size
        part[group] = chosen
    return part


def _origin(frame: pd.DataFrame, config: SplitConfig, groups: np.ndarray | None) -> str:
    if config.files is not None:
        return "data.split.files"
    if config.column is not None:
        return f"data.split.column={config.column}"
    shares = f"{config.train:g}, {config.val:g}, {config.test:g}"
    if groups is not None:
        return f"{shares} of {len(np.unique(groups))} groups by {config.by}"
    return f"{shares} of {len(frame)} rows"
