"""The words of statistics that mtlrun prints. glossary.yaml explains each, and nothing else does.

`mtlrun explain WORD` prints these texts, and report.html shows them where the words stand.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Term:
    """A word.

    names: the word, then its other spellings
    text: two to five sentences
    page: the page and heading of docs/ that say more
    common: the word has other meanings in plain sentences, so that it is explained in headings only
    """

    names: tuple[str, ...]
    text: str
    page: str
    common: bool = False

    @property
    def name(self) -> str:
        """The word as lists show it."""
        return self.names[0]


@cache
def terms() -> dict[str, list[Term]]:
    """All words by group, in the order of the file."""
    read = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return {
        group: [Term(**(entry | {"names": tuple(entry["names"])})) for entry in entries]
        for group, entries in read.items()
    }


def term_of(word: str) -> Term | None:
    """The term that a word or the heading of a column means: `p(BETTER)`, `Δm %`, `rmse ↓ (dollars)`. None: unknown."""
    return _by_name().get(_plain(word))


def nearest_name(word: str) -> str | None:
    """The spelling nearest to an unknown word; None if none is near."""
    close = difflib.get_close_matches(_plain(word), _by_name(), n=1, cutoff=0.6)
    return next(name for name in _by_name()[close[0]].names if _plain(name) == close[0]) if close else None


def terms_in(sentence: str) -> Iterator[tuple[int, int, Term]]:
    """(begin, end, term) of each known word in a sentence, from left to right, without `common` ones."""
    for match in _pattern().finditer(sentence):
        if (term := term_of(match[0])) is not None:
            yield match.start(), match.end(), term


def _plain(word: str) -> str:
    """A word in the form in which words are compared: `holm p` of ` Holm  P `, `rmse` of `rmse ↓ (dollars)`."""
    return " ".join(re.split(r" [↑↓]|: ", word)[0].replace("%", " ").lower().split())


@cache
def _by_name() -> dict[str, Term]:
    return {_plain(name): term for group in terms().values() for term in group for name in term.names}


@cache
def _pattern() -> re.Pattern[str]:
    """Finds the words in a sentence, the longest of several. `seed` in `seed=3` or `trainer.seed` is none."""
    names = [name for group in terms().values() for term in group if not term.common for name in term.names]
    longest_first = sorted((re.escape(name) for name in names if len(name) > 1), key=len, reverse=True)
    return re.compile(rf"(?<![\w.=/\[-])(?:{'|'.join(longest_first)})(?![\w=/\[-]|\.\w)", re.IGNORECASE)
