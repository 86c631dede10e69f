"""Quotes command lines of mtlrun for a shell."""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlrun.util.interpolation import escaped
from mtlrun.util.terminal import shown, typed


def quoted(*words: object) -> str:
    """Quotes words so that no shell, zsh included, expands anything."""
    return " ".join(_quoted(str(word)) for word in words)


def _quoted(word: str) -> str:
    # shlex.quote leaves a word such as =name unquoted, and zsh expands it
    return shlex.quote(word) if not word.startswith("=") else f"'{word}'"


def override(key: str, value: Any) -> str:
    """`KEY=VALUE` of a text, number, list or mapping, as typed in a shell: 'data.future=["Fläche"]'.

    The keys of a mapping must be plain (`is_plain`), because Hydra reads no others.
    """
    return quoted(f"{key}={_for_hydra(value)}")


def is_plain(text: str) -> bool:
    """Whether Hydra reads a text as this text without quotes."""
    values = ("null", "true", "false", "nan", "inf", "infinity")
    return bool(re.fullmatch(r"[A-Za-z_]([\w./ -]*\w)?", text, flags=re.ASCII)) and text.lower() not in values


def _for_hydra(value: Any) -> str:
    """What Hydra reads as this value: texts are in double quotes if they need them."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_for_hydra(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_for_hydra, value))}]"
    if not isinstance(value, str):
        return "null" if value is None else str(value)
    # Hydra takes a backslash as it is unless a quote follows it
    in_quotes = re.sub(r'(\\*)("|$)', lambda m: m[1] * 2 + ('\\"' if m[2] else ""), escaped(value))
    return value if is_plain(value) else f'"{in_quotes}"'


def resume_command(folder: Path) -> str:
    """The command line of `mtlrun resume` for a folder. A path below the working directory is relative."""
    return quoted("mtlrun", "resume", shown(folder))


def compare_command(folders: Sequence[Path | str], *options: str) -> str:
    """The command line of `mtlrun compare` for these folders and options."""
    return quoted("mtlrun", "compare", *(typed(Path(folder)) for folder in folders), *options)
