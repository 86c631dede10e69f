"""Quotes command lines of mtlrun for a shell."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from mtlrun.util.terminal import shown, typed


def quoted(*words: object) -> str:
    """Quotes words so that no shell, zsh included, expands anything."""
    return " ".join(_quoted(str(word)) for word in words)


def _quoted(word: str) -> str:
    # shlex.quote leaves a word such as =name unquoted, and zsh expands it
    return shlex.quote(word) if not word.startswith("=") else f"'{word}'"


def override(key: str, value: str | Sequence[str]) -> str:
    """`KEY=VALUE` of texts, as typed in a shell: 'data.future=["Fläche"]'."""
    text = _for_hydra(value) if isinstance(value, str) else f"[{', '.join(map(_for_hydra, value))}]"
    return quoted(f"{key}={text}")


def _for_hydra(text: str) -> str:
    """A text that Hydra reads as this text, in double quotes if it needs them."""
    values = ("null", "true", "false", "nan", "inf", "infinity")
    if re.fullmatch(r"[A-Za-z_]([\w./ -]*\w)?", text, flags=re.ASCII) and text.lower() not in values:
        return text
    # Hydra takes a backslash as it is unless a quote follows it
    return '"' + re.sub(r'(\\*)("|$)', lambda m: m[1] * 2 + ('\\"' if m[2] else ""), text) + '"'


def resume_command(folder: Path) -> str:
    """The command line of `mtlrun resume` for a folder. A path below the working directory is relative."""
    return quoted("mtlrun", "resume", shown(folder))


def compare_command(folders: Sequence[Path | str], *options: str) -> str:
    """The command line of `mtlrun compare` for these folders and options."""
    return quoted("mtlrun", "compare", *(typed(Path(folder)) for folder in folders), *options)
