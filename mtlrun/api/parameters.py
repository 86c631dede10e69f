"""Parameters of the estimator as the words of a command line, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from mtlrun.compose.override_lines import plain_line


def key_of(name: str) -> str:
    """The key that a parameter sets: Python takes no dot in a keyword, so two underscores stand for one."""
    return name.replace("__", ".")


def words_of(parameters: Mapping[str, Any]) -> list[str]:
    """An override for each parameter: `{"loss": "uncertainty", "lr__base": 0.01}` → `loss=uncertainty`, `lr.base=0.01`.

    Raises RequestError for a value that YAML cannot hold.
    """
    return [plain_line(key_of(name), plain(value)) for name, value in parameters.items()]


def values_of(parameters: Mapping[str, Any]) -> dict[str, str]:
    """As `words_of`, as a mapping of keys to values in Hydra's words."""
    return dict(word.split("=", 1) for word in words_of(parameters))


def choices(values: Sequence[Any] | str) -> str:
    """Values to choose from in Hydra's words: `[1, "a b"]` → `1,'a b'`. Text stays as it is: a range."""
    return values if isinstance(values, str) else ",".join(values_of({"key": value})["key"] for value in values)


def plain(value: Any) -> Any:
    """A value without types of NumPy, and with lists in place of tuples, sets and arrays."""
    if hasattr(value, "tolist"):  # an array, or a number of NumPy
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (Sequence, set, frozenset)) and not isinstance(value, str):
        return [plain(inner) for inner in value]
    return value
