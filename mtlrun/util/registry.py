"""Registries: names that users type, and the code behind them, of mtlrun and of installed packages."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from mtlrun.util.errors import RequestError

T = TypeVar("T")
KINDS = ("loss", "model", "sharing", "task type", "labels", "problem")


@dataclass(frozen=True)
class Reference:
    """Code of a package that is not imported yet: "module:name", and the package, whose text is name and version."""

    made_by: str
    package: object


# Filled by config/extensions.py from the installed packages.
REFERENCES: dict[str, dict[str, Reference]] = {kind: {} for kind in KINDS}
BROKEN: dict[str, str] = {}  # packages that could not be used, and why


class Registry(dict[str, T]):
    """The options of one kind by name: mtlrun's own, and those of packages, which are imported at first use."""

    def __init__(self, kind: str, own: Mapping[str, T], base: type | None = None) -> None:
        """`base`: what a package's class must be a subclass of."""
        super().__init__(own)
        self.own, self.kind, self.base = tuple(own), kind, base

    def __missing__(self, name: str) -> T:
        reference = REFERENCES[self.kind].get(name)
        if reference is None:
            raise KeyError(name)
        found = imported(reference, f"{self.kind} {name}")
        if self.base is not None and not (isinstance(found, type) and issubclass(found, self.base)):
            raise RequestError(
                f"{self.kind} {name}: {reference.made_by} of {reference.package} is no subclass of "
                f"{self.base.__name__}\nmend the package"
            )
        self[name] = found
        return self[name]


def unusable() -> str:
    """The end of a message about an unknown name: packages that could not be used, which may have had it."""
    return f"; left out: {', '.join(f'{package} ({why})' for package, why in BROKEN.items())}" if BROKEN else ""


def imported(reference: Reference, what: str) -> Any:
    """The object behind a reference. Raises RequestError where it cannot be imported."""
    module, _, name = reference.made_by.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:  # whatever the package's code raises
        raise RequestError(
            f"{what}: {reference.made_by} of {reference.package} cannot be imported ({described(error)})\n"
            "mend the package"
        ) from error


def described(error: Exception) -> str:
    """An error of a package's code in one short line, with its type unless it is about a value."""
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, (ValueError, TypeError)) and text else f"{type(error).__name__}: {text}"
