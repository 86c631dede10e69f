"""Words for missing values, such as NA and None: how often they occur, and what became of them."""

from collections.abc import Iterable, Sequence

import pandas as pd

from mtlrun.config.values import number
from mtlrun.data.kinds import NUMBER, TEXT, kind_of, text_of
from mtlrun.data.notation import yaml_flow
from mtlrun.data.reading import MISSING_WORDS, Reading
from mtlrun.util.errors import listing

Words = dict[str, dict[str, int]]  # column -> word -> number of cells


def words_in(frames: Sequence[pd.DataFrame], reading: Reading) -> Words:
    """The words of MISSING_WORDS and of the reading in the cells of files that pandas has parsed."""
    words: Words = {}
    for name in frames[0].columns:
        declared = [text_of(word) for word in reading.columns[name].missing]
        numbers = [n for word in declared if (n := number(word)) is not None]
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


def word_notes(words: Words, reading: Reading, names: Iterable[str]) -> list[str]:
    """Notes on the words in the columns `names`: those taken for missing values, and those kept as text."""
    taken: list[str] = []
    kept: list[tuple[str, str]] = []
    for name in (n for n in names if n in words):
        missing = {text_of(word) for word in reading.columns[name].missing}
        text = reading.columns[name].kind == "text"
        for word, count in words[name].items():
            line = f"{name} {word!r} in {count:,} cells"
            if text and word not in missing:
                kept.append((line, yaml_flow({name: {"missing": [word]}})))
            else:
                taken.append(line)
    notes = [f"taken for missing values: {listing(taken)}"] if taken else []
    if kept:
        lines = listing(line for line, _ in kept)
        notes.append(f"words that are values, as their column is text: {lines}; if missing: data.columns={kept[0][1]}")
    return notes
