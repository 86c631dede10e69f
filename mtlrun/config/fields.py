"""Field constructors for the configuration dataclasses: bounds, and whether runs of a stack may differ in a field."""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import field
from typing import Any

PER_RUN = {"per_run": True}
COLUMN = {"column": True}  # the field holds names of columns or patterns of them, without blanks around


def bounded(default: Any, **bounds: float) -> Any:
    """A dataclass field with bounds: `above`, `below` (strict), `at_least`, `at_most`."""
    return field(default=default, metadata=bounds)


def one_of(names: Callable[[], Iterable[str]]) -> Any:
    """A dataclass field that is None or one of `names()`, which is called when a value is checked."""
    return field(default=None, metadata={"one_of": names})


def per_run(default: Any = dataclasses.MISSING, *, factory: Any = dataclasses.MISSING, **bounds: float) -> Any:
    """A dataclass field in which the runs of a stack may differ. Bounds as in `bounded`."""
    return field(default=default, default_factory=factory, metadata={**bounds, **PER_RUN})
