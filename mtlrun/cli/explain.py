"""`mtlrun explain`: a word of statistics in plain sentences, or the list of all words."""

import textwrap

from mtlrun.util.errors import RequestError
from mtlrun.util.glossary import nearest_name, term_of, terms
from mtlrun.util.terminal import columns

WIDTH = 80  # of a pipe or a file


def explanation(word: str) -> str:
    """The word, what it means, its other spellings and the page that says more. Raises RequestError."""
    term = term_of(word)
    if term is None:
        near = nearest_name(word)
        meant = f"; did you mean {near}?" if near else ""
        raise RequestError(f"explain: found {word}{meant}\nallowed: a word that mtlrun explain lists")
    others = [f"also: {', '.join(term.names[1:])}"] if term.names[1:] else []
    return "\n".join([term.name, *_filled(term.text), *_filled("; ".join([*others, f"more: docs/{term.page}"]))])


def list_of_words() -> str:
    """All words by group."""
    lines = []
    for group, entries in terms().items():
        lines += [group, *_filled(", ".join(term.name for term in entries))]
    return "\n".join(
        [*lines, "mtlrun explain WORD explains one; other spellings, and headings of tables, are known too"]
    )


def _filled(text: str) -> list[str]:
    """A text in indented lines as wide as the terminal, at most 100 columns."""
    width = min(columns() or WIDTH, 100)
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
