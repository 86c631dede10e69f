"""`mtlrun explain`: a word of statistics, a key or an option of the configuration; or the list of all words."""

import re
import textwrap

from mtlrun.config.key_reference import Entry, every_entry, option_file, option_names
from mtlrun.config.schema import GROUPS
from mtlrun.util.errors import RequestError, nearest
from mtlrun.util.glossary import nearest_name, term_of, terms
from mtlrun.util.terminal import columns

WIDTH = 80  # of a pipe or a file
NAMES = {"tasks": "TASK", "data.columns": "COLUMN"}  # stand for the user's names in the reference


def explanation(word: str) -> str:
    """What a word, a key or an option means. Raises RequestError if it is none of them."""
    term = term_of(word)
    if term is None:
        return _of_configuration(word)
    others = [f"also: {', '.join(term.names[1:])}"] if term.names[1:] else []
    return "\n".join([term.name, *_filled(term.text), *_filled("; ".join([*others, f"more: docs/{term.page}"]))])


def _of_configuration(word: str) -> str:
    """A key with its default and what it allows, the option of a group, or a group with its options."""
    group, _, name = word.partition("=")
    if group in GROUPS and (not name or name in option_names(group)):
        names = [name] if name else option_names(group)
        return "\n".join(line for n in names for line in (f"{group}={n}", *_filled(option_file(group, n).about)))
    key = re.sub(r"^(tasks|data\.columns)\.[^.]+(?=\.)", lambda m: f"{m[1]}.{NAMES[m[1]]}", word)
    known = every_entry()
    keys = [key] if key in known else [other for other in known if other.endswith(f".{key}")]
    if not keys:
        options = (f"{group}={name}" for group in GROUPS for name in option_names(group))
        near = None if "." in word or "=" in word else nearest_name(word)
        meant = f"; did you mean {near}?" if near else nearest(word, [*known, *options])
        raise RequestError(
            f"explain: {word} is not known{meant}\n"
            "allowed: a word that mtlrun explain lists, a key such as trainer.patience, an option such as loss=pcgrad"
        )
    return "\n".join(line for key in keys for line in (key, *(x for each in known[key] for x in _entry_lines(each))))


def _entry_lines(entry: Entry) -> list[str]:
    to = f"({', '.join(entry.options)}) " if entry.options else ""
    several = len(entry.defaults) > 1
    of = [text + (f" ({', '.join(names)})" if several else "") for text, names in entry.defaults.items()]
    default = f"default: {', '.join(of)}" if "" not in entry.defaults else "it must be set"
    allowed = f"; allowed: {', '.join(entry.allowed)}" if entry.allowed else ""
    return [*_filled(to + entry.meaning), *_filled(default + allowed)]


def list_of_words() -> str:
    """All words by group."""
    lines = []
    for group, entries in terms().items():
        lines += [group, *_filled(", ".join(term.name for term in entries))]
    return "\n".join(
        [
            *lines,
            "mtlrun explain WORD explains one; it knows other spellings, headings of tables, keys and options too",
        ]
    )


def _filled(text: str) -> list[str]:
    """A text in indented lines as wide as the terminal, at most 100 columns."""
    width = min(columns() or WIDTH, 100)
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
