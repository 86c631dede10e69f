"""Converts plain values to typed ones and mappings to dataclasses. Errors name the full key."""

import dataclasses
import math
import operator
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from mtlrun.config.decimal_comma import with_points
from mtlrun.util.errors import RequestError, listing, nearest
from mtlrun.util.registry import unusable

C = TypeVar("C")


def from_mapping(cls: type[C], tree: Mapping[str, Any], key: str, label: str) -> C:
    """An instance of the dataclass `cls` from a mapping. key: its path; label: its name in messages.

    Raises RequestError for an unknown or missing key and for a value that `typed` refuses.
    """
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in tree:
        if name not in fields:
            raise RequestError(
                f"{key}.{name}: {label} has no such key{nearest(name, fields)}\n"
                f"allowed: {listing(f for f in fields if f != 'name')}"
            )
    values = {n: typed(v, hints[n], f"{key}.{n}", fields[n].metadata) for n, v in tree.items()}
    for f in fields.values():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and f.name not in values:
            raise RequestError(f"{key}.{f.name}: missing\nset it: {key}.{f.name}=VALUE")
    return cls(**values)


# An example of each mapping, by key. tasks.NAME stands for all tasks.
MAPPINGS = {
    "tasks.NAME": "{type: regression}",
    "data.split": "{train: 0.7, val: 0.15, test: 0.15}",
    "data.columns": "{COLUMN: {number: {decimal: ','}}}",
    "data.split.files": "{test: FILE}",
    "graph.receives": "{TASK: {SOURCE: stop}}",
    "graph.constants": "{TASK: [layer1]}",
    "graph.reverse": "{strength: 1.0}",
    "loss.weights": "{TASK: 0.1}",
    "lr.heads": "{default: 3x, TASK: 1x}",
}


def mapping_like(key: str) -> str | None:
    """An example of a value of `key`; None if `key` is not a mapping or has no example."""
    top, _, rest = key.partition(".")
    return MAPPINGS.get("tasks.NAME" if top == "tasks" and rest and "." not in rest else key)


_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def described(hint: Any, key: str) -> str:
    """The values of a type, in words. key: for the example of a mapping."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " | ".join(map(str, args))
    if origin in (typing.Union, types.UnionType):
        return " or ".join("null" if a is type(None) else described(a, key) for a in args)
    if origin is list and typing.get_origin(args[0]) is list:
        return "a list of lists: [[..., ...], [...]]"
    if origin is list:
        items = typing.get_args(args[0]) or args
        return f"a list of {' or '.join(described(item, key).removeprefix('a ') + 's' for item in items)}: [..., ...]"
    if origin is dict or dataclasses.is_dataclass(hint):
        return f"a mapping: {mapping_like(key) or '{KEY: VALUE}'}"
    return _WORDS.get(hint, str(hint))


def typed(value: Any, hint: Any, key: str, bounds: Mapping[str, Any]) -> Any:
    """`value` converted to the type `hint`. Raises RequestError with `key` for another type or outside `bounds`."""
    result = _convert(value, hint, key, bounds)
    names = list(bounds["one_of"]()) if "one_of" in bounds else None
    if result is _MISMATCH or (names is not None and result is not None and result not in names):
        words = f"found {value!r}" if not isinstance(value, str) else f"found '{value}'"
        literals = names or [a for a in _flat(hint) if isinstance(a, str)]
        allowed = f"{' | '.join(names)} or null{unusable()}" if names else described(hint, key)
        if isinstance(value, str) and (point := with_points(value)) is not None and "," not in point:
            allowed += f", with a decimal point: {point}"
        raise RequestError(f"{key}: {words}{nearest(str(value), literals)}\nallowed: {allowed}")
    for item in result if isinstance(result, list) else [result]:
        if isinstance(item, (int, float)) and not isinstance(item, bool):
            bound(item, key, bounds)
    if "column" in bounds and result is not None:
        return plain_name(result) if isinstance(result, str) else [plain_name(name) for name in result]
    return result


# removed around a name: every blank of Unicode, the byte order mark, and the blank without width
_BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\ufeff\u200b"


def plain_name(name: str) -> str:
    """The name of a column without the blanks around it, because nobody sees them in a table."""
    return name.strip(_BLANKS)


LARGEST_WHOLE = 2**63  # torch and NumPy take only smaller numbers
_MISMATCH = object()  # what `_convert` returns for a value of another type


def _flat(hint: Any) -> list[Any]:
    """All values of the Literals in a type hint."""
    if typing.get_origin(hint) is Literal:
        return list(typing.get_args(hint))
    return [x for a in typing.get_args(hint) for x in _flat(a)]


def words_of(hint: Any, bounds: Mapping[str, Any]) -> list[str]:
    """The words that a setting of this type allows: names, true, false. An empty list for numbers and free text."""
    names = list(bounds["one_of"]()) if "one_of" in bounds else [a for a in _flat(hint) if isinstance(a, str)]
    return [*names, "true", "false"] if hint is bool or bool in typing.get_args(hint) else names


def number(value: Any) -> float | None:
    """The number that a number or a text stands for; None for anything else. It may be infinite or NaN."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and value.strip()[:1] not in "+-.0123456789":  # "nan", "infinity"
        return None
    try:  # YAML 1.1 reads 1e-3 as text
        return float(value)
    except (ValueError, OverflowError):
        return None


def _float(value: Any) -> Any:
    found = number(value)
    return _MISMATCH if found is None else found


def _int(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,20}", value.strip(), re.ASCII):  # ${oc.env:SEED} is text
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_WHOLE:  # 1e3
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else _MISMATCH


def _bool(value: Any) -> Any:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    return value if isinstance(value, bool) else _MISMATCH


def _str(value: Any) -> Any:
    return str(value) if isinstance(value, (str, int)) else _MISMATCH


_SIMPLE: dict[Any, Callable[[Any], Any]] = {
    Any: lambda value: value,
    type(None): lambda value: None if value is None else _MISMATCH,
    bool: _bool,
    float: _float,
    int: _int,
    str: _str,
}


def _convert(value: Any, hint: Any, key: str, bounds: Mapping[str, Any]) -> Any:
    """`value` as the type `hint`, or _MISMATCH for another type. Raises RequestError for a wrong value inside it."""
    if hint in _SIMPLE:
        return _SIMPLE[hint](value)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return value if value in args and isinstance(value, str) else _MISMATCH
    if origin in (typing.Union, types.UnionType):
        converted = (_convert(value, a, key, bounds) for a in args)
        return next((c for c in converted if c is not _MISMATCH), _MISMATCH)
    if origin is list:
        if not isinstance(value, (list, tuple)):
            return _MISMATCH
        return [typed(v, args[0], f"{key}[{i}]", bounds) for i, v in enumerate(value)]
    if not isinstance(value, Mapping):
        return _MISMATCH
    if origin is dict:
        return {str(k): typed(v, args[1], f"{key}.{k}", {}) for k, v in value.items()}
    assert dataclasses.is_dataclass(hint), f"no check for {hint!r}"
    return from_mapping(typing.cast(type, hint), value, key, key)


_BOUNDS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "above": ("above", operator.gt),
    "below": ("below", operator.lt),
    "at_least": ("at least", operator.ge),
    "at_most": ("at most", operator.le),
}


def bound(value: float, key: str, bounds: Mapping[str, Any]) -> None:
    """Raises RequestError unless a number is finite and within its bounds."""
    bounds = {k: b for k, b in bounds.items() if k in _BOUNDS}
    if isinstance(value, int) and abs(value) >= LARGEST_WHOLE:
        raise RequestError(
            f"{key}: found a whole number of {value.bit_length()} bits\nallowed: below {LARGEST_WHOLE:,}"
        )
    if not math.isfinite(value) or any(not _BOUNDS[k][1](value, b) for k, b in bounds.items()):
        raise RequestError(f"{key}: found {value}\nallowed: a number {limits(bounds) or 'that is finite'}")


def limits(bounds: Mapping[str, Any]) -> str:
    """The bounds of a number in words: "above 0 and at most 1"; "" if it has none."""
    return " and ".join(f"{_BOUNDS[name][0]} {bound:g}" for name, bound in bounds.items() if name in _BOUNDS)


def require_task(name: Any, tasks: Mapping[str, Any], key: str) -> None:
    """Raises RequestError with `key` unless `name` is one of `tasks`."""
    if not isinstance(name, str) or name not in tasks:
        of_column = next((t for t, task in tasks.items() if name == getattr(task, "target", None)), None)
        meant = nearest(name, tasks) if of_column is None else f"; the column {name!r} is the target of {of_column}"
        raise RequestError(f"{key}: no task is named {name!r}{meant}\ntasks: {listing(tasks)}")


def rate(value: Any, base: float, key: str) -> float:
    """A learning rate: a number, or a multiple of `base` such as "0.1x". Raises RequestError for anything else."""
    if isinstance(value, str) and value.strip().endswith("x"):
        factor = number(value.strip()[:-1])
        found = None if factor is None else factor * base
    else:
        found = number(value)
    if found is None:
        raise RequestError(f"{key}: found {value!r}\nallowed: a number, or a multiple of lr.base such as 0.1x")
    bound(found, key, {"at_least": 0.0})
    return found
