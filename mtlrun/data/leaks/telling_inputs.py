"""Inputs that predict a target alone.

A column is suspicious if its score (column_scores.py) is nearly 1. Honest inputs can be that good. So a score between
`HIGH` and `SURE` counts only if the other inputs together score far less.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from mtlrun.data.columns import Columns
from mtlrun.data.doubts import class_text
from mtlrun.data.kinds import as_texts
from mtlrun.data.leaks.column_scores import (
    MIN_CLASS,
    MIN_ROWS,
    class_scores,
    correlations,
    is_cut,
    number_scores,
    r2,
    ranks,
    score,
    skill,
)
from mtlrun.data.leaks.sample import Column, Sample, scales
from mtlrun.util.errors import listing

SURE = 0.9985  # R²: noise of 4 % of the target's standard deviation
SURE_CLASS = 0.99
HIGH = 0.985  # noise of 12 %
HIGH_CLASS = 0.95
MOST_UNSURE = 2  # if more inputs lie between HIGH and SURE, they are taken for honest measurements of the same thing
APART = 8  # least ratio of the error of the other inputs to that of the suspect
MOST_ONE_CLASS = 0.8  # largest score of the other inputs for a class that one input predicts
GAP = 0.95  # least difference between the shares of missing cells
MOST_FITTED = 2000  # most rows for the model of the other inputs
LEAST_CORRELATION = 0.05  # of a column of means of the target with the target
MOST_TRIED = 30  # most columns that each split of a tree chooses from
MOST_CUTS = 50  # a column with more distinct values is no cut of a target

Told = dict[str, str]  # column -> how it predicts the target, as a phrase for the warning


def telling(sample: Sample) -> Told:
    """The inputs whose values alone predict the target."""
    sure, high = (SURE_CLASS, HIGH_CLASS) if sample.classes else (SURE, HIGH)
    found = _scores(sample)
    suspects = [c for c in sample.columns if found[c.name] >= high]
    unsure = [c for c in suspects if found[c.name] < sure]
    if len(unsure) > MOST_UNSURE:
        suspects = [c for c in suspects if c not in unsure]
    told = {}
    rest = [c for c in sample.columns if c not in suspects]
    others = _together(rest, scales(sample), bool(sample.classes)) if suspects else 0.0
    others = max([others, *(found[c.name] for c in rest)])
    for column in suspects:
        reached = found[column.name]
        if reached >= sure or (1 - others) >= APART * (1 - reached):
            beside = f"{_others(column, suspects)} together {_figure(others, sample)}"
            told[column.name] = f"alone tells {sample.task} {_figure(reached, sample)}, {beside}"
    if len(sample.classes) > 2:
        told |= _telling_one_class([c for c in sample.columns if c.name not in told], sample)
    if not sample.classes:
        for column in sample.columns:
            if column.name not in told and _cuts(column, sample):
                told[column.name] = f"cuts the range of {sample.task} into pieces without an overlap"
    return told


def _others(column: Column, suspects: Sequence[Column]) -> str:
    """The inputs without a column and the other `suspects`, in words."""
    too = [c.name for c in suspects if c is not column]
    return f"all inputs but it and {listing(too)}" if too else "all other inputs"


def _telling_one_class(columns: list[Column], sample: Sample) -> Told:
    """The inputs that alone separate one class from the others, if the other inputs together do not."""
    found = np.zeros((len(columns), len(sample.classes)))
    for i, column in enumerate(columns):
        there = column.present
        found[i] = class_scores(column.values[there], sample.labels[there], sample.weights, column.category)
    told: Told = {}
    for k in np.flatnonzero((found >= SURE_CLASS).any(0)):
        suspects = np.flatnonzero(found[:, k] >= SURE_CLASS)
        rest = [c for i, c in enumerate(columns) if i not in suspects]
        others = _together(rest, [(sample.labels == k).astype(np.int64)], classes=True)
        others = max([others, *(found[i, k] for i in range(len(columns)) if i not in suspects)])
        if others <= MOST_ONE_CLASS:
            words = f"alone tells whether {sample.task} is {class_text(sample.classes[k])}"
            told |= {columns[i].name: words for i in suspects if columns[i].name not in told}
    return told


def _scores(sample: Sample) -> dict[str, float]:
    """The score of each input of a sample."""
    whole = [] if sample.classes else [c for c in sample.columns if not c.category and c.present.all()]
    scores = number_scores([c.values for c in whole], sample.labels, sample.place).tolist() if whole else []
    found = dict(zip((c.name for c in whole), scores, strict=True))
    return {c.name: found[c.name] if c.name in found else _score(c, sample) for c in sample.columns}


def _score(column: Column, sample: Sample) -> float:
    there = column.present
    if there.all():
        return score(column.values, sample.labels, bool(sample.classes), column.category, sample.place)
    return score(column.values[there], sample.labels[there], bool(sample.classes), column.category)


def _figure(value: float, sample: Sample) -> str:
    if not sample.classes:
        return f"with an R² of {max(value, 0):.4f}"
    chance = 1 / max(2, len(np.unique(sample.labels)))
    return f"with a balanced accuracy of {chance + (1 - chance) * max(value, 0):.3f}"


def _together(columns: Sequence[Column], labels: Sequence[np.ndarray], classes: bool) -> float:
    """The score of a random forest on all of `columns`. Each half of the rows is predicted from the other half.

    labels: one or more arrays [n]; the largest of their scores counts.
    """
    if not columns:
        return 0.0
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    n = min(len(labels[0]), MOST_FITTED)
    inputs = np.stack([c.values[:n].astype(np.float64) for c in columns], 1)
    forest = RandomForestClassifier if classes else RandomForestRegressor
    most = min(1.0, MOST_TRIED / len(columns))
    found = []
    for y in (some[:n] for some in labels):
        guess = np.zeros_like(y)
        for half in (np.arange(n) % 2 == 0, np.arange(n) % 2 == 1):
            fitted = forest(30, max_features=most, random_state=0, n_jobs=1).fit(inputs[half], y[half])
            guess[~half] = fitted.predict(inputs[~half])
        found.append(skill(guess, y) if classes else r2(guess - y, y))
    return max(found)


def _cuts(column: Column, sample: Sample) -> bool:
    there = column.present
    if there.sum() < MIN_ROWS:
        return False
    values = column.values[there]
    few = len(set(values[: MOST_CUTS + 1].tolist())) <= MOST_CUTS and len(np.unique(values)) <= MOST_CUTS
    return few and is_cut(values, sample.labels[there])


# ---------------------------------------------------------------- parts of a text


def telling_parts(sample: Sample, columns: Columns) -> Told:
    """The text inputs of which one part predicts the target: a number, a word, the first or last characters."""
    sure = SURE_CLASS if sample.classes else SURE
    told = {}
    for column in sample.columns:
        if not column.category or len(np.unique(column.values)) <= MIN_ROWS:
            continue
        texts = pd.Series(as_texts(columns[column.name].iloc[sample.rows]), dtype=object)
        for what, part in _parts(texts):
            if part.present.sum() >= 0.9 * column.present.sum() and _score(part, sample) >= sure:
                told[column.name] = f"{what} of its text tells {sample.task} {_figure(_score(part, sample), sample)}"
                break
    return told


def _parts(texts: pd.Series) -> Iterator[tuple[str, Column]]:
    """The parts of texts [n] that may predict the target, each with its name."""
    places = ("first", "second", "third", "fourth")
    numbers = texts.str.findall(r"\d+(?:\.\d+)?")
    for i, place in enumerate(places):
        found = pd.to_numeric(numbers.str[i], errors="coerce").to_numpy(dtype=np.float64)
        if not np.isnan(found).all():
            yield f"the {place} number", Column("", found, False)
    for length in (1, 2, 3):
        yield f"the first {length} characters", _coded(texts.str[:length])
        yield f"the last {length} characters", _coded(texts.str[-length:])
    words = texts.str.lower().str.findall(r"[^\W\d_]+")
    for i, place in enumerate(places):
        yield f"the {place} word", _coded(words.str[i])
    counts = pd.Series([w for found in words for w in set(found)], dtype=object).value_counts()
    for word in counts[(counts >= MIN_CLASS) & (counts <= len(texts) - MIN_CLASS)].index[:50]:
        held = np.array([word in found for found in words], dtype=np.float64)
        yield f"the word {word!r}", Column("", held, False)


def _coded(parts: pd.Series) -> Column:
    return Column("", pd.factorize(parts)[0], True)


# ---------------------------------------------------------------- missing cells


def telling_gaps(sample: Sample) -> Told:
    """The inputs whose missing cells predict a class, or on which side of a number the target lies."""
    told = {}
    for column in sample.columns:
        gaps = ~column.present
        if not MIN_CLASS <= gaps.sum() <= len(gaps) - MIN_CLASS:
            continue
        if words := _class_gaps(gaps, sample) if sample.classes else _number_gaps(gaps, sample):
            told[column.name] = words
    return told


def _class_gaps(gaps: np.ndarray, sample: Sample) -> str | None:
    """How missing cells predict a class: nearly all of its rows have them and few others do, or none of its rows."""
    counts = np.bincount(sample.labels, minlength=len(sample.classes))
    missing = np.bincount(sample.labels, gaps, minlength=len(sample.classes))
    known = np.flatnonzero(counts >= MIN_CLASS)
    for k in known if len(known) > 1 else ():
        inside, outside = missing[k] / counts[k], (missing.sum() - missing[k]) / (len(gaps) - counts[k])
        pure = min(counts[k], len(gaps) - counts[k]) >= MIN_ROWS and {inside, outside} & {0.0, 1.0}
        if abs(inside - outside) >= (0.5 if pure else GAP):
            where = f"{sample.task} is {class_text(sample.classes[k])}"
            return f"{inside:.0%} of its cells are missing where {where}, {outside:.0%} elsewhere"
    return None


def _number_gaps(gaps: np.ndarray, sample: Sample) -> str | None:
    """How missing cells predict a number: they lie on one side of a value, or where the target has its mode."""
    place = ranks(sample.labels)
    n, missing = len(gaps), int(gaps.sum())
    auroc = (place[gaps].sum() - missing * (missing + 1) / 2) / (missing * (n - missing))
    if abs(2 * auroc - 1) >= GAP and min(missing, n - missing) >= MIN_ROWS:
        return f"its cells are missing where {sample.task} is {'high' if auroc > 0.5 else 'low'}"
    values, times = np.unique(sample.labels, return_counts=True)
    most = values[times.argmax()]
    usual = sample.labels == most
    if MIN_ROWS <= usual.sum() <= n - MIN_ROWS and abs(gaps[usual].mean() - gaps[~usual].mean()) >= GAP:
        return f"its cells are missing where {sample.task} {'is' if gaps[usual].mean() > 0.5 else 'is not'} {most:g}"
    return None


# ---------------------------------------------------------------- means of the target


def may_be_means(sample: Sample) -> list[str]:
    """The columns of numbers that correlate with the target as strongly as means of it over up to 400 rows."""
    numbers = [c for c in sample.columns if not c.category]
    if len(sample.classes) > 2 or not numbers:
        return []
    found = np.abs(correlations([c.values for c in numbers], sample.labels.astype(np.float64)))
    return [c.name for c, strength in zip(numbers, found, strict=True) if strength >= LEAST_CORRELATION]


def mean_of_target(values: np.ndarray, labels: np.ndarray) -> bool:
    """Whether the numbers [n] are the means of the labels [n] over the rows with the same number, or scaled means.

    The means of an honest input scatter around any line with the variance within its values. Those of a column that was
    computed from the target do not. rows: all rows with a label, not a sample.
    """
    codes, distinct = pd.factorize(values)
    sizes = np.bincount(codes)
    many = sizes >= 2
    if many.sum() < 10 or many[codes].sum() < len(values) / 2:
        return False
    means = np.bincount(codes, labels) / sizes
    within = np.bincount(codes, (labels - means[codes]) ** 2)[many].sum() / (sizes[many] - 1).sum()
    if within <= 1e-9 * labels.var():
        return False
    x, y, weight = distinct[many].astype(np.float64), means[many], sizes[many].astype(np.float64)
    slope, shift = np.polyfit(x - x.mean(), y, 1, w=np.sqrt(weight))
    errors = weight * (y - shift - slope * (x - x.mean())) ** 2
    return bool(errors.sum() <= 0.01 * within * (many.sum() - 2))
