"""Text in lines of a width."""

import textwrap

from mtlrun.util.terminal import printable


def fill(text: str, width: int, indent: str = "") -> list[str]:
    """Lines of `width`, all but the first indented."""
    return textwrap.wrap(printable(text), width, subsequent_indent=indent, break_on_hyphens=False)


def wrap(label: str, width: int, lines: int, name: str) -> tuple[list[str], bool]:
    """`label` in at most `lines` lines of `width`; what does not fit gives way to `… name`, and the flag is true."""
    wrapped = textwrap.wrap(printable(label), width, break_on_hyphens=False) or [""]
    if len(wrapped) <= lines:
        return wrapped, False
    tail = f"… {name}"
    return [*wrapped[: lines - 1], wrapped[lines - 1][: max(1, width - len(tail))] + tail], True
