"""Parses overrides, and gives their keys and values."""

import functools

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override

from mtlrun.config.schema import GROUPS

OPTION_GROUPS = (*GROUPS, "experiment")
SWEEP_KEYS = ("arms", "trials", "focus")  # keys of a sweep, which the configuration of a run does not have
ARMS = """a list of mappings: 'arms=[{loss: sum},{loss: fixed, loss.weights.price: "0.1,1"}]', or a plan's name"""
TRIALS = "a whole number of at least 1, such as trials=16"

_PARSER = OverridesParser.create()


@functools.lru_cache(maxsize=100_000)  # the runs of a sweep have lines in common
def parse(line: str) -> Override:
    return _PARSER.parse_override(line)


def full_key(override: Override) -> str:
    """The full key without `+`. The key of an override that removes a value keeps its `~`."""
    return f"~{override.key_or_group}" if override.is_delete() else override.key_or_group


def typed_value(override: Override) -> str:
    """The value as it was typed, without quotes around it."""
    value = None if override.is_sweep_override() else override.value()
    return value if isinstance(value, str) else (override.input_line or "").partition("=")[2]


def hydra_line(override: Override) -> str:
    # mtlrun's groups accept new keys, so `+` and `++` change nothing. But Hydra refuses `+` for an existing key.
    line = override.input_line or ""
    return line if override.is_hydra_override() else line.lstrip("+")


def is_drawn(override: Override) -> bool:
    """Whether trials draw the values of an override: it has a range, or choice(a,b), but not the list a,b."""
    value = override.value()
    return override.is_interval_sweep() or (isinstance(value, ChoiceSweep) and not value.simple_form)


def is_choice(override: Override) -> bool:
    """Whether an override chooses an option of a group, rather than setting a value."""
    return override.key_or_group in OPTION_GROUPS and not override.is_delete() and isinstance(override.value(), str)
