"""Overrides as lines, KEY=VALUE: from the settings of an arm or a file, and one line for each value of a sweep."""

import contextlib
import itertools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Override,
    OverrideType,
    Quote,
    QuotedString,
    RangeSweep,
    ValueType,
)
from hydra.errors import HydraException

from mtlrun.compose.outside import check_references
from mtlrun.compose.override_checks import checked_override
from mtlrun.compose.overrides import SWEEP_KEYS, is_drawn, parse, typed_value
from mtlrun.util.errors import RequestError, listing

NOT_INSIDE = ("hydra", "experiment", *SWEEP_KEYS)  # keys that an arm or hydra.sweeper.params may not set
MOST_RUNS = 20_000  # runs of a sweep; more is probably a typing error, and composing them takes a minute


def overrides_of(settings: Mapping[Any, Any], where: str, loader: ConfigLoader, from_file: bool) -> list[Override]:
    """The settings of an arm or of hydra.sweeper.params as overrides, checked like those of the command line.

    from_file: the settings are from a file; then their values may refer to other keys, but not use other resolvers
    Raises RequestError.
    """
    overrides = []
    for name, value in settings.items():
        with located(where):
            line = _line(str(name), value)
            key = parse(line).key_or_group
            if re.split(r"[./]", key)[0] in NOT_INSIDE:
                raise RequestError(f"{key}: not allowed here\nallowed: keys of a run, not {listing(NOT_INSIDE)}")
            override = checked_override(line, loader)
        require_few(length(override))
        if from_file and not override.is_interval_sweep() and not override.is_range_sweep():
            for single in lines_of(override):
                check_references(where, key, parse(single).value())
        overrides.append(override)
    return overrides


def _line(key: str, value: Any) -> str:
    """`KEY=VALUE`. Text is taken as it would be typed behind the = of an override, so it may be a sweep."""
    line = f"{key}={value}" if isinstance(value, str) else plain_line(key, value)
    if len(line.splitlines()) > 1:
        raise RequestError(f"{line!r}: a line break is not allowed here")
    for text, why in [
        (f"{key}=0", f"{key}: no key\nallowed: GROUP or GROUP.KEY"),
        (
            line,
            f"{key}: found {value}, which an override cannot have after =\n"
            f"text with spaces or special characters needs another pair of quotes: {key}: \"'a == 1'\"",
        ),
    ]:
        try:
            parse(text)
        except HydraException as error:
            raise RequestError(why) from error
    return line


def plain_line(key: str, value: Any) -> str:
    """`KEY=VALUE` of a value that is no sweep, as Hydra writes it. Text has quotes only if it needs them."""
    if isinstance(value, str):
        with contextlib.suppress(HydraException):
            if parse(f"{key}={value}").value() == value:
                return f"{key}={value}"
    written = Override(OverrideType.CHANGE, key, ValueType.ELEMENT, _quoted(value, key)).get_value_element_as_str()
    return f"{key}={written}"


def _quoted(value: Any, key: str) -> Any:
    """The value with all of its texts in quotes, so that '1' and 'null' stay text."""
    if isinstance(value, str):
        return QuotedString(value, Quote.single)
    if isinstance(value, list):
        return [_quoted(inner, key) for inner in value]
    if isinstance(value, dict):
        return {str(name): _quoted(inner, key) for name, inner in value.items()}
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise RequestError(f"{key}: found {value!r}\nallowed: text, numbers, true, false, null, lists and mappings")


@contextlib.contextmanager
def located(where: str) -> Iterator[None]:
    """Adds the place `where`, such as an arm, to a RequestError."""
    try:
        yield
    except RequestError as error:
        raise RequestError(f"{error} (in {where})" if where else str(error)) from error


# ---------------------------------------------------------------- values of sweeps


def combined(overrides: Mapping[str, Override]) -> list[dict[str, str]]:
    """All combinations of one line per key, without keys that trials draw. The last key varies fastest."""
    lines = {key: lines_of(o) for key, o in overrides.items() if not is_drawn(o)}
    return [dict(zip(lines, chosen, strict=True)) for chosen in itertools.product(*lines.values())]


def lines_of(override: Override) -> list[str]:
    """One line for each value of an override, as Hydra's sweeper writes them. Raises RequestError if there is none."""
    found, value = f"{override.key_or_group}: found {typed_value(override)}", override.value()
    if isinstance(value, RangeSweep):
        bounds = [value.start or 0, value.stop or 0, value.step]
        if not all(math.isfinite(bound) for bound in bounds) or value.step == 0:
            raise RequestError(f"{found}, which has no end\nallowed: range(STOP) or range(START,STOP,STEP)")
    lines = [job[0] for job in BasicSweeper.split_arguments([override], max_batch_size=None)[0]]
    if not lines:
        raise RequestError(f"{found}, which holds no value\nallowed: one value at least, such as range(3)")
    return lines


def parsed(line: str) -> Override:
    """Parses a line that Hydra's sweeper has written. The sweeper drops some quotes.

    Raises RequestError if the line is no override without them.
    """
    try:
        return parse(line)
    except HydraException as error:
        raise RequestError(
            f"{line}: needs quotes, which a sweep removes\nput the value into an arm: 'arms=[{{...}}]', or into a YAML"
        ) from error


def length(override: Override) -> int:
    """The number of values of an override, counted without making a list of them."""
    value = override.value()
    if isinstance(value, ChoiceSweep):
        return len(value.list)
    if isinstance(value, RangeSweep) and value.step and math.isfinite((value.stop or 0) - (value.start or 0)):
        return max(0, math.ceil(((value.stop or 0) - (value.start or 0)) / value.step))
    return 1


def require_few(count: int) -> None:
    """Raises RequestError for a sweep of more than `MOST_RUNS` runs."""
    if count > MOST_RUNS:
        words = "fewer values, or draws: trials=100 'lr.base=tag(log,interval(1e-4,1e-1))'"
        raise RequestError(f"this sweep has {count:,} runs\nallowed: at most {MOST_RUNS:,}; {words}")
