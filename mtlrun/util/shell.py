"""Quotes command lines of mtlrun for a shell."""

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


def resume_command(folder: Path) -> str:
    """The command line of `mtlrun resume` for a folder. A path below the working directory is relative."""
    return quoted("mtlrun", "resume", shown(folder))


def compare_command(folders: Sequence[Path | str], *options: str) -> str:
    """The command line of `mtlrun compare` for these folders and options."""
    return quoted("mtlrun", "compare", *(typed(Path(folder)) for folder in folders), *options)
