"""Commands for the user: the commands that made runs with changed words, quoted for a shell."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mtlrun.compare.collect.original_words import TUNE, confirmed, is_confirmation, is_search, spelled_out, words_of
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.storage.names import PLAN
from mtlrun.storage.sweep_folder import read_plan
from mtlrun.util.errors import RequestError
from mtlrun.util.shell import compare_command, quoted

SWEEPS = re.compile(r"(range|choice|interval|tag|glob|sort|shuffle|int|float)\(")
FOLDERS = ("hydra.run.dir", "hydra.sweep.dir")  # would name the folder of the existing sweep
PLANS = ("arms", "trials", "experiment")
MULTIRUN = ("-m", "--multirun")


def origin(run: RunRecord) -> Path:
    """The folder that has the command of a run: that of its sweep, else that of the run."""
    return run.sweep or run.folder


def with_seeds(place: Path, seeds: Iterable[int]) -> str | None:
    """The command of a sweep or run with these seeds; None if it is unknown."""
    words = words_of(place)
    if words is None:
        return None
    if is_confirmation(place):  # the same command trains new seeds
        return quoted("mtlrun", *words)
    if is_search(place):
        return compare_command([place], "--confirm")
    return _command([*_without(words, ("seed", *FOLDERS)), f"seed={seed_words(seeds)}"])


def with_values(
    place: Path, values: Mapping[str, str], options: Mapping[str, str] | None = None, seeds: Iterable[int] = ()
) -> str | None:
    """The command of a sweep or run with other values of some keys; for a confirmation, that of the confirmed sweep.

    None if it is unknown, or if arms set these keys, because the arms would override the values. `options` are group ->
    option, for keys that only this option has. The arms of a plan are then left out, and the command names the `seeds`.
    """
    place = confirmed(place)
    words = words_of(place)
    if words is None or (not options and _set_by_arms(place, words, values)):
        return None
    if options:
        spelled = _without(spelled_out(words), PLANS)
        words = [word for word in spelled if word.partition("=")[0].lstrip("+") not in options]
        words += [f"{group}={option}" for group, option in options.items()]
        words = [*_without(words, ("seed",)), f"seed={seed_words(seeds)}"]
    changed = [*_without(words, (*values, *FOLDERS)), *(f"{key}={value}" for key, value in values.items())]
    return quoted("mtlrun", TUNE, *changed) if is_search(place) and not options else _command(changed)


def without_sweeps(place: Path, added: str, seeds: Iterable[int], dropped: Sequence[str] = ()) -> str | None:
    """The command of a sweep or run without its sweeps, its loss and the keys `dropped`, with the word `added` and
    these seeds; None if it is unknown."""
    words = words_of(confirmed(place))
    if words is None:
        return None
    spelled = _without(spelled_out(words), ("seed", "loss", *dropped, *FOLDERS, *PLANS))
    kept = [word for word in spelled if not is_sweep(word)]
    return _command([*(word for word in kept if word not in MULTIRUN), added, f"seed={seed_words(seeds)}"], sweep=False)


def _set_by_arms(place: Path, words: Sequence[str], keys: Iterable[str]) -> bool:
    """Whether the arms of a sweep set these keys: runs override them, but the words do not name them."""
    if not (place / PLAN).is_file():
        return False
    try:
        having = {str(key).lstrip("+") for job in read_plan(place) for key in job["overrides"]}
    except (RequestError, KeyError, TypeError, ValueError):
        return False
    typed = {word.lstrip("+").partition("=")[0] for word in words}
    return any(key in having and key not in typed for key in keys)


def seed_words(seeds: Iterable[int]) -> str:
    """Seeds as the value of an override: a range if they are consecutive."""
    ordered = sorted(set(seeds))
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[-1] + 1)):
        return f"range({ordered[0]},{ordered[-1] + 1})"
    return ",".join(map(str, ordered))


def is_sweep(word: str) -> bool:
    """Whether an override has several values: a comma outside brackets and quotes, or a function such as range."""
    value = word.partition("=")[2]
    depth, quote = 0, ""
    for sign in value:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
        elif sign == "," and not depth:
            return True
    return bool(SWEEPS.match(value))


def _command(words: Sequence[str], sweep: bool = True) -> str:
    several = [] if not sweep or any(word in MULTIRUN for word in words) else ["-m"]
    return quoted("mtlrun", *several, *words)


def _without(words: Sequence[str], keys: Sequence[str]) -> list[str]:
    """The words, except those that set one of these keys or a key below one of them."""

    def sets(word: str) -> bool:
        set_key = word.lstrip("+").partition("=")[0]
        return any(set_key == key or set_key.startswith(f"{key}.") for key in keys)

    return [word for word in words if not sets(word)]
