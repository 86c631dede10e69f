"""Command lines of mtlrun, quoted for a shell."""

import shlex
from collections.abc import Sequence
from pathlib import Path


def quoted(*words: object) -> str:
    """Words as a shell takes them, zsh too: nothing is expanded."""
    return " ".join(_quoted(str(word)) for word in words)


def _quoted(word: str) -> str:
    # shlex leaves a = at a word's beginning, which zsh expands
    return shlex.quote(word) if not word.startswith("=") else f"'{word}'"


def compare_command(folders: Sequence[Path | str], *options: str) -> str:
    """`mtlrun compare` of the folders with further options."""
    return quoted("mtlrun", "compare", *folders, *options)
