"""Registries: map names that users type to code of mtlrun or of an installed package."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from mtlrun.util.errors import RequestError

T = TypeVar("T")
KINDS = ("loss", "model", "sharing", "task type", "labels", "problem")


@dataclass(frozen=True)
class Reference:
    """Code of a package that is not imported yet.

    made_by: "module:name" of the code
    package: the package; `str(package)` gives its name and version
    """

    made_by: str
    package: object


# config/extensions.py fills both from the installed packages.
REFERENCES: dict[str, dict[str, Reference]] = {kind: {} for kind in KINDS}
BROKEN: dict[str, str] = {}  # reasons by package: those that could not be used


class Registry(dict[str, T]):
    """The options of one kind by name, of mtlrun and of packages. Code of a package is imported at its first use."""

    def __init__(self, kind: str, own: Mapping[str, T], base: type | None = None) -> None:
        """`own`: the options of mtlrun. `base`: a package's code must be a subclass of it; None: no such check."""
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
    """The end of a message about an unknown name. Lists packages that could not be used: one may have the name."""
    return f"; left out: {', '.join(f'{package} ({why})' for package, why in BROKEN.items())}" if BROKEN else ""


def imported(reference: Reference, what: str) -> Any:
    """Imports the object that a reference names. Raises RequestError if that fails."""
    module, _, name = reference.made_by.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:  # the package's code may raise any error
        raise RequestError(
            f"{what}: {reference.made_by} of {reference.package} cannot be imported ({described(error)})\n"
            "mend the package"
        ) from error


def described(error: Exception) -> str:
    """An error of a package's code in one short line, with its type unless it is a ValueError or TypeError."""
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, (ValueError, TypeError)) and text else f"{type(error).__name__}: {text}"
