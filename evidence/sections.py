"""The page's sections: the modules of this folder that have a TITLE and ROWS."""

import importlib
import pkgutil
from collections.abc import Sequence
from typing import NamedTuple

import evidence
from evidence.row import Row

# As the reader meets them; a module that is not named here comes last.
ORDER = (
    "losses",
    "rates",
    "estimates",
    "constants",
    "sharing",
    "depth",
    "auxiliary",
    "transfer",
    "extra_data",
    "data",
    "further",
)


class Section(NamedTuple):
    name: str
    title: str
    rows: list[Row]


def sections() -> list[Section]:
    """Every section, in the order of the page. Raises ValueError where two rows have one mechanism's name."""
    names = [module.name for module in pkgutil.iter_modules(evidence.__path__) if not module.name.startswith("_")]
    places = {name: place for place, name in enumerate(ORDER)}
    found = []
    for name in sorted(names, key=lambda name: (places.get(name, len(ORDER)), name)):
        module = importlib.import_module(f"evidence.{name}")
        if hasattr(module, "ROWS"):
            found.append(Section(name, module.TITLE, module.ROWS))
    called = [row.mechanism for section in found for row in section.rows]
    if twice := {mechanism for mechanism in called if called.count(mechanism) > 1}:
        raise ValueError(f"two rows of one name: {', '.join(sorted(twice))}")
    return found


def chosen(every: Sequence[Section], names: Sequence[str]) -> list[Row]:
    """The rows that names speak of: an experiment, a section or a mechanism; all without names.

    Raises ValueError for a name that is none of these.
    """
    found = []
    for name in names:
        rows = [r for s in every for r in s.rows if name in (s.name, r.experiment, r.mechanism)]
        if not rows:
            raise ValueError(f"no row is named {name!r}")
        found += rows
    return list(dict.fromkeys(found)) if names else [row for section in every for row in section.rows]
