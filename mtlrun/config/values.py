"""Typed values from plain ones: how a mapping becomes a dataclass, with errors that name the full key."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from mtlrun.config.extensions import unusable
from mtlrun.util.errors import RequestError, listing, nearest

C = TypeVar("C")


def from_mapping(cls: type[C], tree: Mapping[str, Any], key: str, label: str) -> C:
    """An instance of the dataclass `cls` from a mapping; `key` is its path, `label` how to speak of it."""
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


# What a mapping may look like, by its key; tasks.NAME stands for all tasks.
MAPPINGS = {
    "tasks.NAME": "{type: regression}",
    "data.split": "{train: 0.7, val: 0.15, test: 0.15}",
    "data.split.files": "{test: FILE}",
    "graph.receives": "{TASK: {SOURCE: stop}}",
    "graph.constants": "{TASK: [layer1]}",
    "graph.reverse": "{strength: 1.0}",
    "loss.weights": "{TASK: 0.1}",
    "lr.heads": "{default: 3x, TASK: 1x}",
}


def mapping_like(key: str) -> str | None:
    """An example of the mapping that `key` stands for; None where it stands for something else, or no example is
    known."""
    top, _, rest = key.partition(".")
    return MAPPINGS.get("tasks.NAME" if top == "tasks" and rest and "." not in rest else key)


_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _describe(hint: Any, key: str) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " | ".join(map(str, args))
    if origin in (typing.Union, types.UnionType):
        return " or ".join("null" if a is type(None) else _describe(a, key) for a in args)
    if origin is list:
        return f"a list of {_describe(args[0], key).removeprefix('a ')}s: [..., ...]"
    if origin is dict or dataclasses.is_dataclass(hint):
        return f"a mapping: {mapping_like(key) or '{KEY: VALUE}'}"
    return _WORDS.get(hint, str(hint))


def typed(value: Any, hint: Any, key: str, bounds: Mapping[str, Any]) -> Any:
    """`value` as the type `hint` within `bounds`, or a RequestError that names `key`."""
    result = convert(value, hint, key, bounds)
    names = list(bounds["one_of"]()) if "one_of" in bounds else None
    if result is NO or (names is not None and result is not None and result not in names):
        words = f"found {value!r}" if not isinstance(value, str) else f"found '{value}'"
        literals = names or [a for a in _flat(hint) if isinstance(a, str)]
        allowed = f"{' | '.join(names)} or null{unusable()}" if names else _describe(hint, key)
        raise RequestError(f"{key}: {words}{nearest(str(value), literals)}\nallowed: {allowed}")
    for number in result if isinstance(result, list) else [result]:
        if isinstance(number, (int, float)) and not isinstance(number, bool):
            bound(number, key, bounds)
    return result


NO = object()
LARGEST_WHOLE = 2**63  # what the libraries behind take


def _flat(hint: Any) -> list[Any]:
    """All literal values named somewhere in a type hint."""
    if typing.get_origin(hint) is Literal:
        return list(typing.get_args(hint))
    return [x for a in typing.get_args(hint) for x in _flat(a)]


def convert(value: Any, hint: Any, key: str, bounds: Mapping[str, Any]) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is Literal:
        return value if value in args and isinstance(value, str) else NO
    if origin in (typing.Union, types.UnionType):
        converted = (convert(value, a, key, bounds) for a in args)
        return next((c for c in converted if c is not NO), NO)
    if hint is type(None):
        return None if value is None else NO
    if origin is list:
        if not isinstance(value, (list, tuple)):
            return NO
        return [typed(v, args[0], f"{key}[{i}]", bounds) for i, v in enumerate(value)]
    if origin is dict:
        if not isinstance(value, Mapping):
            return NO
        return {str(k): typed(v, args[1], f"{key}.{k}", {}) for k, v in value.items()}
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            return NO
        return from_mapping(typing.cast(type, hint), value, key, key)
    if hint is bool:
        return value if isinstance(value, bool) else NO
    if hint is float:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            return NO
        try:  # YAML 1.1 reads 1e-3 as text
            return float(value) if not isinstance(value, str) or value.strip()[:1] in "+-.0123456789" else NO
        except (ValueError, OverflowError):
            return NO
    if hint is int:
        return value if isinstance(value, int) and not isinstance(value, bool) else NO
    if hint is str:
        return value if isinstance(value, str) else str(value) if isinstance(value, int) else NO
    raise TypeError(f"no check for {hint!r}")


def bound(number: float, key: str, bounds: Mapping[str, Any]) -> None:
    tests = {
        "above": ("above", lambda b: number > b),
        "below": ("below", lambda b: number < b),
        "at_least": ("at least", lambda b: number >= b),
        "at_most": ("at most", lambda b: number <= b),
    }
    bounds = {k: b for k, b in bounds.items() if k in tests}
    if isinstance(number, int) and abs(number) >= LARGEST_WHOLE:
        raise RequestError(
            f"{key}: found a whole number of {number.bit_length()} bits\nallowed: below {LARGEST_WHOLE:,}"
        )
    if not math.isfinite(number) or any(not tests[k][1](b) for k, b in bounds.items()):
        limits = " and ".join(f"{tests[k][0]} {b}" for k, b in bounds.items())
        raise RequestError(f"{key}: found {number}\nallowed: a number {limits or 'that is finite'}")


def require_task(name: Any, tasks: Mapping[str, Any], key: str) -> None:
    """Raises RequestError that names `key` unless `name` is one of `tasks`."""
    if not isinstance(name, str) or name not in tasks:
        raise RequestError(f"{key}: no task is named {name!r}{nearest(name, tasks)}\ntasks: {listing(tasks)}")


def rate(value: Any, base: float, key: str) -> float:
    """A learning rate: a number, or a multiple of `base` written as "0.1x"."""
    if isinstance(value, str) and value.strip().endswith("x"):
        factor = convert(value.strip()[:-1], float, key, {})
        number = NO if factor is NO else factor * base
    else:
        number = convert(value, float, key, {})
    if number is NO:
        raise RequestError(f"{key}: found {value!r}\nallowed: a number, or a multiple of lr.base such as 0.1x")
    bound(number, key, {"at_least": 0.0})
    return float(number)
