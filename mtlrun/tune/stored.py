"""Reads the files of a search that another command has written, and that anybody may have changed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mtlrun.util.errors import RequestError

T = TypeVar("T")


def read_stored(path: Path, take: Callable[[Any], T]) -> T:
    """What `take` makes of the JSON in a file. Raises RequestError if the file cannot be read or `take` refuses it."""
    try:
        return take(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise damaged(path) from None


def damaged(path: Path) -> RequestError:
    """The error for a file of a search that is not what the search has written."""
    return RequestError(f"{path}: not readable\nrestore the file, or search anew in another folder")
