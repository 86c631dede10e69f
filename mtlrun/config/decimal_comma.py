"""Recognises numbers with a decimal comma, such as 0,01. Hydra takes it for a sweep over 0 and 01."""

import re

_NUMBER = re.compile(r"([+-]?\d+),(\d+(?:[eE][+-]?\d+)?)")
INSIDE = re.compile(r":\s*[+-]?\d+,\d+\s*[,}]")  # of a mapping: {train: 0,7, val: 0,15}


def with_points(value: str) -> str | None:
    """`value` with decimal points if it can be one number or more with decimal commas, else None.

    >>> with_points("0,01"), with_points("0,001,0,01"), with_points("0.1,1")
    ('0.01', '0.001,0.01', None)
    """
    parts = value.replace(" ", "").split(",")
    pairs = [",".join(parts[at : at + 2]) for at in range(0, len(parts), 2)]
    if not all(map(_NUMBER.fullmatch, pairs)):
        return None
    return ",".join(pair.replace(",", ".") for pair in pairs)


def is_sure(value: str) -> bool:
    """Whether a value that `with_points` takes can be nothing else: behind a comma, no whole number begins with 0."""
    return any(re.match(r"0\d", part) for part in value.replace(" ", "").split(",")[1::2])
