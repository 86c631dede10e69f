"""Values with a decimal comma, such as lr.base=0,01: refused if they can be nothing else, otherwise a hint."""

import typing
from collections.abc import Sequence

from hydra.core.override_parser.types import Override

from mtlrun.compose.overrides import typed_value
from mtlrun.config.decimal_comma import is_sure, with_points
from mtlrun.config.schema import GROUPS
from mtlrun.util.errors import RequestError


def require_points(override: Override) -> None:
    """Raises RequestError for a sweep over values that can only be numbers with a decimal comma."""
    typed, key = typed_value(override), override.key_or_group
    if override.is_choice_sweep() and (number := with_points(typed)) is not None and is_sure(typed):
        raise RequestError(f"{key}: found {typed}, with a decimal comma\nwrite a decimal point: {key}={number}")


def point_hint(override: Override) -> str:
    """A hint for a sweep whose values may be a number with a decimal comma; "" for others, and for whole numbers."""
    number = with_points(typed_value(override)) if override.is_choice_sweep() else None
    if number is None or _takes_fractions(override.key_or_group) is False:
        return ""
    return f"; decimal point, not comma: {override.key_or_group}={number}"


def point_notes(overrides: Sequence[Override]) -> list[str]:
    """A note for each sweep such as lr.base=0,5, over 0 and 5, whose key takes fractions."""
    return [
        f"{o.key_or_group}: a sweep over {typed_value(o).replace(',', ' and ')}{hint}"
        for o in overrides
        if (hint := point_hint(o)) and typed_value(o).startswith("0,") and _takes_fractions(o.key_or_group)
    ]


def _takes_fractions(key: str) -> bool | None:
    """Whether the values of a key may be fractions; None for a key in an open mapping, such as loss.weights.TASK."""
    group, _, name = key.partition(".")
    if not name:
        return False
    hints = [hint for option in GROUPS.get(group, {}).values() if (hint := typing.get_type_hints(option).get(name))]
    return any(hint is float or float in typing.get_args(hint) for hint in hints) if hints else None
