"""Overrides: the words of the command line as Hydra parses them, their keys and values."""

import functools

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from mtlrun.config.schema import GROUPS

OPTION_GROUPS = (*GROUPS, "experiment")
SWEEP_KEYS = ("arms", "trials", "focus")  # they are about a sweep, and no run has them
ARMS = """a list of mappings: 'arms=[{loss: sum},{loss: fixed, loss.weights.price: "0.1,1"}]', or a plan's name"""
TRIALS = "a whole number of at least 1, such as trials=16"

_PARSER = OverridesParser.create()


@functools.lru_cache(maxsize=100_000)  # the runs of a sweep share their lines
def parse(line: str) -> Override:
    return _PARSER.parse_override(line)


def full_key(override: Override) -> str:
    """The full key without `+`; what is removed keeps its `~`."""
    return f"~{override.key_or_group}" if override.is_delete() else override.key_or_group


def typed_value(override: Override) -> str:
    """The value as it was typed, without quotes around it."""
    value = None if override.is_sweep_override() else override.value()
    return value if isinstance(value, str) else (override.input_line or "").partition("=")[2]


def hydra_line(override: Override) -> str:
    # Our groups are open and merge, so that `+` and `++` change nothing - except that Hydra refuses
    # `+` for a key that is there already.
    line = override.input_line or ""
    return line if override.is_hydra_override() else line.lstrip("+")


def is_choice(override: Override) -> bool:
    """Whether it chooses a group's option (rather than setting values)."""
    return override.key_or_group in OPTION_GROUPS and not override.is_delete() and isinstance(override.value(), str)
