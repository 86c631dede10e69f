"""Finds the notations that explain the cells of a text column."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from mtlrun.config.schema import ColumnConfig, NumberConfig
from mtlrun.data.kinds import leading_zeros
from mtlrun.data.notation.dates import ISO, are_iso_dates, are_seasons, date_notations, likely_years, time_notation
from mtlrun.data.notation.declared_cells import read
from mtlrun.data.notation.numbers import MIN_DISTINCT, number_notations

# Cells, in lower case, that stand for a missing value among numbers or dates.
_MARKS = (
    "- -- --- – — ? ?? . .. ... … * / na n/a n.a. n.a #n/a #na <na> nan -nan null none nil nd n.d. nr k.a. keine "
    "unknown missing tbd #value! #div/0! #ref! #name? #num! (null) (none) (blank) -1.#ind 1.#qnan -1.#qnan 1.#ind"
)
MARKS = frozenset(_MARKS.split()) | {"not available", "k. a.", "keine angabe", "not applicable", "#n/a n/a"}
SHARE = 0.9  # of the cells are in the notation; the others, in few words, look like mistakes
FEW = 3  # largest number of such words
_SAMPLE = 500  # distinct cells from which notations are guessed, and as many again of the longest
_MOST = 10_000  # distinct cells, and as many again, that are read by them


def recognise(cells: Sequence[str] | pd.Series, counts: Sequence[int] | np.ndarray | None = None) -> list[ColumnConfig]:
    """The notations, the likeliest first, that explain the cells of a text column. [] for ordinary text.

    cells: the distinct cells `[n]`, none of them missing. counts: how often each occurs, by default once.

    Cells that mean a missing value are named in `missing` of the notations, and so are at most three words that stand
    among other cells in less than a tenth of the rows. Several notations are all possible, such as those of 1.234 kg
    and of 8/6/2021. Plain numbers and ISO dates are only returned if there are words among them.
    """
    text = pd.Series(cells, dtype="str").str.strip()
    weight = np.ones(len(text)) if counts is None else np.asarray(counts, dtype=np.float64)
    text, weight = text[text != ""], weight[(text != "").to_numpy()]
    read_cells = _sample(text, _MOST)
    text, weight = text.iloc[read_cells], weight[read_cells]
    sample = _sample(text, _SAMPLE)
    possible = list(_candidates(text.iloc[sample], weight[sample]))
    if not possible:
        return []
    mark = text.str.lower().isin(MARKS).to_numpy()
    values, weight = text[~mark], weight[~mark]
    words = text[mark].tolist()
    found: list[tuple[int, ColumnConfig]] = []
    for notation in possible:
        read_values = read(values, notation)
        fits = read_values.notna().to_numpy()
        wrong = int((~fits).sum())
        if fits.sum() < MIN_DISTINCT or wrong > FEW or weight[fits].sum() < SHARE * weight.sum():
            continue
        if notation.date is not None and (not likely_years(read_values[fits]) or are_seasons(values)):
            continue
        if not wrong and not words and _is_plain(values, notation):
            return []
        if notation.number == NumberConfig() and leading_zeros(values).any():
            continue  # 01 beside 2A is a code
        missing: list[str | float] = [*words, *values[~fits].tolist()]
        found.append((wrong, replace(notation, missing=missing) if missing else notation))
    return [notation for wrong, notation in found if wrong == min(wrong for wrong, _ in found)]


def is_sure(found: Sequence[ColumnConfig]) -> bool:
    """Whether one notation is recognised, and all words beside it mean a missing value."""
    return len(found) == 1 and all(str(word).lower() in MARKS for word in found[0].missing or ())


def _sample(text: pd.Series, most: int) -> np.ndarray:
    """Positions of distinct cells: `most` at equal distances, and the `most` longest."""
    if len(text) <= most:
        return np.arange(len(text))
    spread = np.linspace(0, len(text) - 1, most, dtype=np.int64)
    longest = np.argsort(-text.str.len().to_numpy(), kind="stable")[:most]
    return np.union1d(spread, longest)


def _candidates(sample: pd.Series, weight: np.ndarray) -> Iterator[ColumnConfig]:
    """Notations suggested by the shape of most cells of a sample. None for words without digits."""
    known = ~sample.str.lower().isin(MARKS).to_numpy()
    sample, weight = sample[known], weight[known]
    digits = sample.str.contains(r"\d", regex=True).to_numpy(dtype=bool)
    if digits.sum() < MIN_DISTINCT or weight[digits].sum() < SHARE * weight.sum():
        return
    shapes = sample.str.replace(r"\d", "9", regex=True).str.replace(r"[^\W\d_]", "a", regex=True).to_numpy()
    frequent = pd.Series(weight).groupby(shapes).sum().idxmax()
    example = str(sample.iloc[int(np.argmax(shapes == frequent))])
    if (time := time_notation(example)) is not None:
        yield ColumnConfig(time=time)
    for date in date_notations(example):
        yield ColumnConfig(date=date)
    for number in number_notations(sample.tolist()):
        yield ColumnConfig(number=number)


def _is_plain(values: pd.Series, notation: ColumnConfig) -> bool:
    """Whether the cells need no declaration, because they are ISO dates or plain numbers."""
    if notation.date == ISO:
        return are_iso_dates(values)
    return notation.number == NumberConfig() and bool(pd.to_numeric(values, errors="coerce").notna().all())
