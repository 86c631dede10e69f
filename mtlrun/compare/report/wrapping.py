"""Breaks text into lines."""

import textwrap

from mtlrun.util.terminal import printable


def fill(text: str, width: int, indent: str = "") -> list[str]:
    """Breaks text into lines of at most `width` letters. All lines except the first are indented."""
    return textwrap.wrap(printable(text), width, subsequent_indent=indent, break_on_hyphens=False)


def wrap(label: str, width: int, lines: int, name: str) -> tuple[list[str], bool]:
    """Breaks `label` into at most `lines` lines of `width` letters, and says whether it was cut.

    A label that is too long ends with `… name`.
    """
    wrapped = textwrap.wrap(printable(label), width, break_on_hyphens=False) or [""]
    if len(wrapped) <= lines:
        return wrapped, False
    tail = f"… {name}"
    return [*wrapped[: lines - 1], wrapped[lines - 1][: max(1, width - len(tail))] + tail], True
