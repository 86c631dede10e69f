"""Field constructors for the configuration dataclasses: bounds, what a search tries, and whether runs of a stack may
differ in a field."""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import field
from typing import Any

PER_RUN = {"per_run": True}
SEARCH = "search"  # the values that `mtlrun tune` tries, in the words of a sweep: "0,0.1" or "tag(log,interval(1,9))"
COLUMN = {"column": True}  # the field holds names of columns or patterns of them, without blanks around


def bounded(default: Any, *, search: str | None = None, **bounds: float) -> Any:
    """A dataclass field with bounds: `above`, `below` (strict), `at_least`, `at_most`. search: see `SEARCH`."""
    return field(default=default, metadata=_searched(bounds, search))


def one_of(names: Callable[[], Iterable[str]]) -> Any:
    """A dataclass field that is None or one of `names()`, which is called when a value is checked."""
    return field(default=None, metadata={"one_of": names})


def per_run(
    default: Any = dataclasses.MISSING,
    *,
    factory: Any = dataclasses.MISSING,
    search: str | None = None,
    **bounds: float,
) -> Any:
    """A dataclass field in which the runs of a stack may differ. Bounds and search as in `bounded`."""
    return field(default=default, default_factory=factory, metadata=_searched({**bounds, **PER_RUN}, search))


def _searched(metadata: dict[str, Any], search: str | None) -> dict[str, Any]:
    return metadata if search is None else {**metadata, SEARCH: search}
