"""Command lines in tests. A test adds words to a common list; they replace those of the same key."""

from collections.abc import Sequence

import pytest

from mtlrun.cli import main as cli


def last_of(words: Sequence[str]) -> list[str]:
    """The words, of those with the same key only the last, in the place of the first."""
    kept: dict[str, str] = {}
    for word in words:
        key = word.lstrip("+").partition("=")[0] if "=" in word and not word.startswith("-") else word
        kept[key] = word
    return list(kept.values())


def main(words: Sequence[str]) -> int:
    """`mtlrun` with `last_of` the words. Returns the exit status."""
    return cli.main(last_of(words))


def refused(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The answer to a wrong request, in two lines at most."""
    capsys.readouterr()
    assert main(words) == 2
    answer = capsys.readouterr().err
    assert answer.startswith("mtlrun: ") and len(answer.splitlines()) <= 2
    return answer[8:]
