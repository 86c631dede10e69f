"""Splits a command line into a sub-command, further words and options."""

import csv
import glob
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtlrun.cli.commands import ALWAYS, BY_TYPED, COMMANDS, INSTEAD, OPTIONS, command_of
from mtlrun.results.files import remove_abandoned
from mtlrun.util.errors import RequestError, listing, nearest


@dataclass
class Words:
    """The parts of a command line: sub-command ("" means train), further words, values of options by name."""

    command: str = ""
    words: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)

    @property
    def usage(self) -> str:
        """The usage line of the sub-command, for an error message."""
        return f"usage: mtlrun {command_of(self.command).usage}"

    def operands(self, count: int) -> list[str]:
        """The words that are not options. Raises RequestError if their number is not `count`."""
        if len(self.words) != count:
            raise RequestError(f"{self.command}: found {len(self.words)} words, expected {count}\n{self.usage}")
        return self.words

    def new_file(self, suffix: str) -> Path:
        """The file that -o names.

        Raises RequestError if the file exists, has another suffix, or is in a folder that does not exist.
        """
        output = self.options.get("output")
        if not output:
            raise RequestError(f"{self.command}: -o is missing\n{self.usage}")
        out = Path(output)
        if out.suffix.lower() != suffix:
            raise RequestError(f"-o: found {out}\nallowed: a file that ends in {suffix}")
        if out.exists():
            raise RequestError(f"-o: {out} exists already\nallowed: a new file")
        if not out.parent.is_dir():
            raise RequestError(f"-o: there is no folder {out.parent}\nallowed: a new file in a folder that exists")
        remove_abandoned(out.parent, glob.escape(out.name))
        return out

    def run_folder(self, word: str) -> Path:
        """The folder that a word names. Raises RequestError if it does not exist."""
        folder = Path(word)
        if not folder.is_dir():
            raise RequestError(f"{self.command}: there is no folder {folder}\n{self.usage}")
        return folder

    def names(self, option: str) -> list[str] | None:
        """The comma-separated names that an option lists. None if the option is not given.

        A name that contains a comma is written in double quotes, as in a CSV file.
        """
        if option not in self.options:
            return None
        words = self.options[option]
        try:
            listed = next(csv.reader([words], skipinitialspace=True), [])
        except csv.Error as error:
            raise RequestError(f"{words[:60]}…: not a list of names ({error})\nallowed: a,b,c") from None
        return [name.strip() for name in listed if name.strip()]


def take_apart(argv: Sequence[str]) -> Words:
    """Splits a command line. Raises RequestError if a sub-command or option is unknown or misplaced.

    Options may be anywhere on the line. The first word is a sub-command unless it is an override.
    """
    parsed = Words()
    queue = list(argv)
    while queue:
        word = queue.pop(0)
        if word and word.splitlines() != [word]:
            raise RequestError(f"{word[:100]!r}: a line break is not allowed here")
        if "\0" in word:
            raise RequestError(f"{word[:100]!r}: the character 0 is not allowed here")
        if word.startswith("-"):
            _take_option(word, queue, parsed)
        else:
            parsed.words.append(word)
    if parsed.words and "=" not in parsed.words[0] and not parsed.words[0].startswith(("~", "+")):
        parsed.command = parsed.words.pop(0)
        _require_command(parsed.command)
    _require_its_options(parsed)
    return parsed


def _take_option(word: str, queue: list[str], parsed: Words) -> None:
    """Adds an option to `parsed`. Takes its value from the next word of the queue if the word has none."""
    typed, equals, value = word.partition("=")
    name = BY_TYPED.get(word) or BY_TYPED.get(typed)
    if typed in INSTEAD:
        raise RequestError(f"{typed}: an option of Hydra that mtlrun does not have\ntype instead: {INSTEAD[typed]}")
    if name is None or (equals and not OPTIONS[name].example):
        raise RequestError(f"{word}: no such option{nearest(typed, BY_TYPED)}\nallowed: {listing(BY_TYPED)}")
    option = OPTIONS[name]
    if not option.example:
        parsed.options[name] = "yes"
        return
    if not equals and not queue:
        raise RequestError(f"{typed}: a value is missing\nexample: {typed} {option.example}")
    parsed.options[name] = value if equals else queue.pop(0)


def _require_command(word: str) -> None:
    if word not in COMMANDS:
        raise RequestError(
            f"{word}: no such sub-command{nearest(word, COMMANDS)}\n"
            f"allowed: {listing(COMMANDS)}; without a sub-command mtlrun trains: mtlrun loss=sum"
        )


def _require_its_options(parsed: Words) -> None:
    for option in parsed.options:
        if option not in (*ALWAYS, *command_of(parsed.command).options):
            wrong = f"{OPTIONS[option].typed[0]}: not an option of mtlrun {parsed.command}".rstrip()
            raise RequestError(f"{wrong}\n{parsed.usage}")
