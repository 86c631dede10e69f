"""Words for missing values, such as NA and None: counts them, and notes which of them were read as missing."""

from collections.abc import Iterable, Sequence

import pandas as pd

from mtlrun.data.kinds import NUMBER, TEXT, kind_of, plain_numbers, text_of
from mtlrun.data.notation import columns_override
from mtlrun.data.reading import MISSING_WORDS, Reading, numbers_among
from mtlrun.util.errors import listing

Words = dict[str, dict[str, int]]  # column -> word -> number of cells


def words_in(frames: Sequence[pd.DataFrame], reading: Reading) -> Words:
    """The words of MISSING_WORDS and of the reading in the cells of files that pandas has parsed."""
    words: Words = {}
    plain = set.intersection(*map(plain_numbers, frames))
    for name in frames[0].columns:
        missing = reading.columns[name].missing
        numbers = numbers_among(tuple(missing))
        if name in plain and not numbers:
            continue
        declared = list(map(text_of, missing))
        for series in (frame[name] for frame in frames):
            kind = kind_of(series)
            if kind is TEXT:
                found = series[series.isin([*MISSING_WORDS, *declared])]
            elif kind is NUMBER and numbers:
                found = series[series.isin(numbers)]
            else:
                continue
            for word, count in found.value_counts().items():
                here = words.setdefault(str(name), {})
                here[text_of(word)] = here.get(text_of(word), 0) + int(count)
    return words


def taken_and_kept(words: Words, reading: Reading) -> tuple[Words, Words]:
    """The words that are missing values, and those that are values of a column of text."""
    taken: Words = {}
    kept: Words = {}
    for name, counts in words.items():
        column = reading.columns[name]
        missing = set(map(text_of, column.missing))
        for word, count in counts.items():
            part = kept if column.kind == "text" and word not in missing else taken
            part.setdefault(name, {})[word] = count
    return taken, kept


def word_notes(words: Words, reading: Reading, names: Iterable[str]) -> list[str]:
    """Notes on the words in the columns `names`: how many cells were read as missing values, or kept as text."""
    taken, kept = taken_and_kept({name: words[name] for name in names if name in words}, reading)
    notes = [f"taken for missing values: {_in_words(taken)}"] if taken else []
    if kept:
        example = columns_override({name: {"missing": list(counts)} for name, counts in list(kept.items())[:1]})
        notes.append(f"values, as their column is text: {_in_words(kept)}; if missing: {example}")
    return notes


def _in_words(words: Words) -> str:
    return listing(f"{name} {word!r} in {n:,} cells" for name, counts in words.items() for word, n in counts.items())
