"""The words of the command that made a sweep or run, read from its folder."""

import functools
import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mtlrun.compare.collect.settings import text
from mtlrun.config.extensions import conf_dirs
from mtlrun.config.schema import conf_dir
from mtlrun.storage import hydra_folder
from mtlrun.storage.names import HYDRA_FOLDER, PLAN
from mtlrun.storage.summary import flatten
from mtlrun.storage.sweep_folder import COMMAND, read_plan
from mtlrun.util.errors import RequestError

NOT_SPELLED = ("hydra", "name", "notes", "trials", "focus")  # keys of an experiment's file that are not about its runs
TUNE = "tune"  # the sub-command whose words begin with it
MOST_CONFIRMED = 100  # length limit: a folder may claim to confirm itself


def words_of(place: Path) -> list[str] | None:
    """The words after `mtlrun` in the command that made a sweep or run; None if they are unknown.

    Of `mtlrun tune`, the words of the run whose settings it searches. Words about Hydra are left out. The words go
    into commands that users copy, the folder may come from a stranger, and Hydra's settings can run any program.
    """
    words = read_words(place.absolute())
    return words[1:] if words is not None and is_search(place) else words


def is_search(place: Path) -> bool:
    """Whether `mtlrun tune` made a sweep."""
    return (read_words(place.absolute()) or [])[:1] == [TUNE]


@functools.cache
def read_words(place: Path) -> list[str] | None:
    """All words but those about Hydra, for an absolute path; cached."""
    words = _all_words(place)
    if words is None:
        return None
    kept, skip = [], False
    for word in words:
        option = word.partition("=")[0]
        if not skip and option != "--config-dir" and not re.match(r"\W*hydra\b", word) and word.isprintable():
            kept.append(word)
        skip = word == "--config-dir"
    return kept


def _all_words(place: Path) -> list[str] | None:
    """All words, including those about Hydra: from command.txt, else from the plan, else from Hydra's record."""
    if (place / COMMAND).is_file():
        try:
            words = shlex.split((place / COMMAND).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return words[1:] if words and words[0].rpartition("/")[2] == "mtlrun" else words
    if (place / PLAN).is_file():
        try:
            return _of_plan([dict(job["overrides"]) for job in read_plan(place)])
        except (RequestError, json.JSONDecodeError, KeyError, TypeError, ValueError):
            return None
    return hydra_folder.read_words(place) if (place / HYDRA_FOLDER / hydra_folder.WORDS).is_file() else None


def _of_plan(jobs: Sequence[Mapping[str, str]]) -> list[str] | None:
    """Words that give the overrides of a plan: value lists for a product; for a union, an arm for each run."""
    values: dict[str, dict[str, None]] = {}
    for job in jobs:
        for key, value in job.items():
            values.setdefault(key, {})[str(value)] = None
    if math.prod(map(len, values.values())) == len(jobs) and all(set(job) == set(values) for job in jobs):
        return [_typed(key, ",".join(swept)) for key, swept in values.items()]
    return _of_union(jobs, values)


def _of_union(jobs: Sequence[Mapping[str, str]], values: Mapping[str, Mapping[str, None]]) -> list[str] | None:
    """Words for runs that form no product; None if a run has only common keys. values: key -> its values."""
    common = {k: next(iter(swept)) for k, swept in values.items() if len(swept) == 1 and all(k in job for job in jobs)}
    arms = {json.dumps({k: v for k, v in job.items() if k not in common and k != "seed"}): None for job in jobs}
    if "{}" in arms:
        return None
    words = [f"arms=[{','.join(_arm(json.loads(arm)) for arm in arms)}]"]
    if len(values.get("seed", ())) > 1:
        words.append(f"seed={','.join(values['seed'])}")
    return words + [_typed(key, value) for key, value in common.items()]


def _typed(key: str, value: str) -> str:
    return key if key.startswith("~") and not value else f"{key}={value}"


def _arm(arm: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in arm.items()) + "}"


def is_confirmation(place: Path) -> bool:
    """Whether `mtlrun compare DIR --confirm` made a sweep."""
    return (words_of(place) or [])[:1] == ["compare"]


def confirmed(place: Path) -> Path:
    """The sweep itself, or for a confirmation the sweep that it confirms."""
    for _ in range(MOST_CONFIRMED):
        words = words_of(place) or []
        if not is_confirmation(place) or len(words) < 2:
            break
        place = Path(words[1])
    return place


def spelled_out(words: Sequence[str]) -> list[str]:
    """The words and the keys and options that the file of their experiment sets and the words do not.

    The sweeps and arms of the experiment are left out.
    """
    tree = _experiment(words)
    if tree is None:
        return [*words]
    typed = {word.lstrip("+~").partition("=")[0] for word in words}
    options = [entry for entry in tree.get("defaults") or [] if isinstance(entry, dict)]
    values = {key.split("/")[-1]: text(value) for entry in options for key, value in entry.items()}
    rest = {key: value for key, value in tree.items() if key not in ("arms", "defaults")}
    values |= {key: text(value) for key, value in flatten(rest).items() if key.split(".")[0] not in NOT_SPELLED}
    return [*words, *(f"{key}={value}" for key, value in values.items() if key not in typed)]


def _experiment(words: Sequence[str]) -> dict[str, Any] | None:
    """The content of the experiment file that the words name; None if there is none or it cannot be read."""
    names = [value for key, _, value in (word.partition("=") for word in words) if key == "experiment"]
    files = [
        folder / "experiment" / f"{name}.yaml"
        for name in names
        if re.fullmatch(r"[\w.-]+", name)
        for folder in (conf_dir(), *conf_dirs(), Path("conf"))
    ]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return None
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None
