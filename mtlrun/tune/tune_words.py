"""The words `tune.*` of a command line: how long to search, over what, and how many seeds confirm."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hydra.errors import HydraException

from mtlrun.compose.overrides import parse
from mtlrun.util.errors import RequestError, listing, nearest

DEFAULT_RUNS = 120  # of a search: four batches of 16 settings
PREFIX, SPACE = "tune.", "tune.space."


@dataclass(frozen=True)
class TuneSettings:
    """The settings of a search.

    minutes: the time of the search with the estimates before it, without the confirmation; None: `runs` alone bound it
    runs: the largest number of runs of the search, without the default's; see `most_runs`
    splits: the splits, and seeds, over which a setting is judged
    batch: the settings that begin together
    seeds: the seeds of the confirmation; None: as many as an answer needs
    fixed: keys and groups that are not searched
    space: key -> its values in the words of a sweep, in place of the default or beside it
    """

    minutes: float | None = None
    runs: int | None = None
    splits: int = 3
    batch: int = 16
    seeds: int | None = None
    fixed: Sequence[str] = ()
    space: Mapping[str, str] = field(default_factory=dict)

    @property
    def most_runs(self) -> int | None:
        """The largest number of runs of the search; None: no bound but the time."""
        return DEFAULT_RUNS if self.runs is None and self.minutes is None else self.runs

    def to_plain(self) -> dict[str, Any]:
        """For tune.json."""
        return asdict(self)


def take_settings(words: Sequence[str]) -> tuple[TuneSettings, list[str]]:
    """The settings that the words `tune.*` make, and all other words. Raises RequestError."""
    found: dict[str, Any] = {"space": {}}
    rest = []
    for word in words:
        key, equals, text = word.lstrip("+").partition("=")
        if not key.startswith(PREFIX):
            rest.append(word)
        elif not equals:
            raise RequestError(f"{key}: a value is missing\nallowed: {key}=VALUE")
        elif key.startswith(SPACE):
            found["space"][key.removeprefix(SPACE)] = text
        else:
            name = key.removeprefix(PREFIX)
            if name not in _READ:
                known = [f"{PREFIX}{each}" for each in (*_READ, "space.KEY")]
                raise RequestError(f"{key}: no such key{nearest(key, known)}\nallowed: {listing(known)}")
            found[name] = _READ[name](key, text)
    return TuneSettings(**found), rest


def _number(key: str, text: str) -> float:
    value = _value(key, text)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
        raise RequestError(f"{key}: found {text}\nallowed: a number of minutes above 0, such as {key}=5")
    return float(value)


def _count(least: int) -> Callable[[str, str], int]:
    def read(key: str, text: str) -> int:
        value = _value(key, text)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise RequestError(f"{key}: found {text}\nallowed: a whole number at least {least}")
        return value

    return read


def _names(key: str, text: str) -> tuple[str, ...]:
    value = _value(key, text)
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RequestError(f"{key}: found {text}\nallowed: keys and groups, such as {key}=[model,lr.base]")
    return tuple(names)


def _value(key: str, text: str) -> Any:
    try:
        override = parse(f"{key}={text}")
    except HydraException:
        return None
    return None if override.is_sweep_override() else override.value()


_READ: Mapping[str, Callable[[str, str], Any]] = {
    "minutes": _number,
    "runs": _count(1),
    "splits": _count(1),
    "batch": _count(2),
    "seeds": _count(2),
    "fixed": _names,
}
