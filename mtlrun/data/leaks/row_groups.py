"""Columns that group rows with alike targets. A random split puts rows of one group into train and test."""

import numpy as np
import pandas as pd

from mtlrun.data.doubts import ID_NAME, MIN_ROWS, notations_of, whole
from mtlrun.data.kinds import NUMBER, TEXT, kind_of
from mtlrun.data.leaks.column_scores import ranks
from mtlrun.data.targets import Target

NAMED_ROWS = 50  # mean number of rows of a group whose column is called patient, site or the like
UNNAMED_ROWS = 12
NAMED_SHARE = 0.1  # share of the target's variance between groups
UNNAMED_SHARE = 0.3
MIN_GROUPS = 10
MOST_GROUPS = 2000
SMOOTH = 0.3  # with at least this autocorrelation of the means of groups, a column is a quantity
BLOCK = 8  # least mean number of rows of a block
MOST_IN_BLOCK = 0.2  # most rows of a block, as a share of the table
DRAWS = 199  # the share must exceed those of this many random groups of the same sizes


def groups_of(series: pd.Series, name: str) -> np.ndarray | None:
    """The group [N] of each row, -1 if missing. None if the values of a column do not look like names of groups.

    Groups of numbers are in the order of the numbers.
    """
    kind = kind_of(series)
    if kind is NUMBER and not whole(series):
        return None
    present = series.dropna()
    if len(present) < MIN_ROWS or kind not in (TEXT, NUMBER):
        return None
    if not 1.5 <= len(present) / present.nunique() <= NAMED_ROWS or notations_of(present):
        return None
    values = kind.comparable(present)
    codes = pd.factorize(values, sort=kind is NUMBER)[0]
    counts = np.bincount(codes)
    named = is_named(name)
    if len(counts) < MIN_GROUPS or (len(codes) > UNNAMED_ROWS * len(counts) and not named):
        return None
    if kind is NUMBER and not named:
        # Ages and years repeat too. So require many values of about equal frequency that have no gaps or whose rows
        # are contiguous in the file.
        blocks = 1 + int((np.diff(codes) != 0).sum())
        together = blocks <= 1.2 * len(counts) and not (np.diff(values) >= 0).all()
        gapless = np.ptp(values) + 1 <= 1.1 * len(counts)
        if len(counts) < 100 or counts.max() > 10 * np.median(counts) or not (together or gapless):
            return None
    groups = np.full(len(series), -1, dtype=np.int64)
    groups[series.notna().to_numpy()] = codes
    return groups


def in_blocks(series: pd.Series) -> int | None:
    """The number of values of a column whose rows stand next to each other, as a year does in a table sorted by time.

    None if some value stands in two places, or if the values are too few or too many to be groups.
    """
    values = series.to_numpy()
    if series.isna().any() or len(values) < MIN_ROWS:
        return None
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    sizes = np.diff(np.r_[starts, len(values)])
    if len(starts) < MIN_GROUPS or sizes.mean() < BLOCK or sizes.max() > MOST_IN_BLOCK * len(values):
        return None
    return len(starts) if series.nunique() == len(starts) else None


def is_named(name: str) -> bool:
    """Whether a column is called patient, site, id or the like."""
    return ID_NAME.search(name.lower()) is not None


def alike(groups: np.ndarray, target: Target, named: bool) -> float | None:
    """The share of a target's variance between groups [N]. None if it is small or may be chance.

    Also None if neighbouring groups are alike in a column that is not `named`: it is a quantity, such as an age.

    The share is the intraclass correlation of a one-way analysis of variance (Fisher 1925): of ranks for numbers, of
    the indicators of classes together. It is compared with the shares of `DRAWS` random permutations of the labels.
    """
    rows = np.flatnonzero(target.observed & (groups >= 0) & (groups < MOST_GROUPS))
    members = groups[rows]
    counts = np.bincount(members)
    rows, members = rows[counts[members] >= 2], members[counts[members] >= 2]
    if len(rows) < MIN_ROWS:
        return None
    members = pd.factorize(members, sort=True)[0]
    sizes = np.bincount(members)
    if len(sizes) < MIN_GROUPS:
        return None
    labels = target.values[rows]
    marks = labels.astype(np.int64)[None] == np.unique(labels)[:, None] if target.classes else ranks(labels)[None]
    marks = marks - marks.mean(1, keepdims=True)  # [K, n]
    random = np.random.default_rng(0)
    found = _share(marks, members, sizes)
    if found < (NAMED_SHARE if named else UNNAMED_SHARE):
        return None
    if not named and _smooth(np.bincount(members, marks[-1]) / sizes):
        return None
    draws = (_share(marks[:, random.permutation(len(rows))], members, sizes) for _ in range(DRAWS))
    return None if any(draw >= found for draw in draws) else found


def _smooth(means: np.ndarray) -> bool:
    """Whether the means [G] of groups change slowly from group to group: whether their autocorrelation is large."""
    centred = means - means.mean()
    spread = float(centred @ centred)
    return spread > 0 and float(centred[1:] @ centred[:-1]) / spread >= SMOOTH


def _share(marks: np.ndarray, groups: np.ndarray, sizes: np.ndarray) -> float:
    """The intraclass correlation of centred marks [K, n] in groups [n]."""
    n, k = len(groups), len(sizes)
    total = float((marks**2).sum())
    between = sum(float((np.bincount(groups, row) ** 2 / sizes).sum()) for row in marks)
    usual = (n - (sizes**2).sum() / n) / (k - 1)
    mean_between, mean_within = between / (k - 1), (total - between) / (n - k)
    spread = mean_between + (usual - 1) * mean_within
    return (mean_between - mean_within) / spread if spread > 0 else 0.0
