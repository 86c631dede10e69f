"""Splits a command line into a sub-command, further words and options."""

import csv
import glob
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtlrun.cli.commands import ALWAYS, BY_TYPED, COMMANDS, INSTEAD, OPTIONS, command_of
from mtlrun.config.data_options import option_of
from mtlrun.storage.files import remove_abandoned
from mtlrun.storage.latest import model_folder
from mtlrun.util.errors import RequestError, listing, nearest
from mtlrun.util.shell import quoted

KEYS = (
    "data",
    "model",
    "sharing",
    "graph",
    "loss",
    "lr",
    "optimizer",
    "trainer",
    "tasks",
    "only",
    "seed",
    "experiment",
)
# words that other programs have as sub-commands
WORDS_FOR = {
    "train": "the words alone: mtlrun data=houses",
    "run": "the words alone: mtlrun data=houses",
    "help": "mtlrun --help",
    "version": "mtlrun --version",
}


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

    def operands(self, count: int, more: bool = False) -> list[str]:
        """The words that are not options. Raises RequestError if their number is not `count`, or with `more` fewer."""
        if len(self.words) < count or (len(self.words) > count and not more):
            expected = f"{count} or more" if more else str(count)
            raise RequestError(f"{self.command}: found {len(self.words)} words, expected {expected}\n{self.usage}")
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
        """The folder of a run or sweep that a word names, or `latest`. Raises RequestError if it does not exist."""
        folder = model_folder(word)
        if not folder.is_dir():
            raise RequestError(f"{self.command}: there is no folder {folder}\n{self.usage}")
        return folder

    def number(self, option: str) -> float | None:
        """The number that an option gives. None if the option is not given. Raises RequestError if it is none."""
        if option not in self.options:
            return None
        try:
            return float(self.options[option])
        except ValueError:
            typed, example = OPTIONS[option].typed[0], OPTIONS[option].example
            raise RequestError(f"{typed}: found {self.options[option]}\nallowed: a number, such as {example}") from None

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
        _require_command(parsed.command, parsed.words)
    _require_its_options(parsed)
    return parsed


def _take_option(word: str, queue: list[str], parsed: Words) -> None:
    """Adds an option to `parsed`. Takes its value from the next word of the queue if the word has none."""
    typed, equals, value = word.partition("=")
    name = BY_TYPED.get(word) or BY_TYPED.get(typed)
    if typed in INSTEAD:
        raise RequestError(f"{typed}: an option of Hydra that mtlrun does not have\ntype instead: {INSTEAD[typed]}")
    if name is None or (equals and not OPTIONS[name].example):
        command = next((w for w in [*parsed.words, *queue] if w in COMMANDS), "")
        allowed = [t for o in (*ALWAYS, *command_of(command).options) for t in OPTIONS[o].typed]
        raise RequestError(f"{word}: no such option{_meant(typed, value, queue, allowed)}\nallowed: {listing(allowed)}")
    option = OPTIONS[name]
    if not option.example:
        parsed.options[name] = "yes"
        return
    if not equals and not queue:
        raise RequestError(f"{typed}: a value is missing\nexample: {typed} {option.example}")
    parsed.options[name] = value if equals else queue.pop(0)


def _meant(typed: str, value: str, queue: Sequence[str], allowed: Sequence[str]) -> str:
    """A hint at what the user means by an option that does not exist: an override, such as --data houses."""
    key = typed.lstrip("-")
    if typed.startswith("--") and (key in KEYS or "." in key):
        value = value or next((word for word in queue[:1] if not word.startswith("-")), "VALUE")
        return f"; did you mean {key}={value}?"
    return nearest(typed, allowed)


def _require_command(word: str, others: Sequence[str]) -> None:
    """Raises RequestError unless `word` is a sub-command. others: the words after it."""
    if word not in COMMANDS:
        typed = WORDS_FOR.get(word)
        if others[:1] and (others[0] == "=" or others[0].startswith("=")):
            typed = f"{word}={''.join(others[:2]).removeprefix('=')}"
            raise RequestError(f"{word}: a blank before =\ntype: {typed}")
        if typed is None and (option := option_of(word)) is not None:
            described = Path(f"conf/data/{option}.yaml").is_file()
            init = f"mtlrun init {quoted(word)} --targets a,b (describes the table), then "
            typed = f"{'' if described else init}mtlrun data={option}"
        if typed is not None:
            raise RequestError(f"{word}: no such sub-command\ntype: {typed}")
        raise RequestError(
            f"{word}: no such sub-command{nearest(word, COMMANDS)}\n"
            f"allowed: {listing(COMMANDS)}; without a sub-command mtlrun trains: mtlrun loss=sum"
        )


def _require_its_options(parsed: Words) -> None:
    for option in parsed.options:
        if option not in (*ALWAYS, *command_of(parsed.command).options):
            wrong = f"{OPTIONS[option].typed[0]}: not an option of mtlrun {parsed.command}".rstrip()
            raise RequestError(f"{wrong}\n{parsed.usage}")
