"""The commands that made runs, with other words: quoted for a shell."""

import functools
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mtlrun.compare.collect.folders import RunRecord
from mtlrun.compare.collect.settings import text
from mtlrun.config.extensions import conf_dirs
from mtlrun.config.schema import conf_dir
from mtlrun.results import hydra_folder
from mtlrun.results.summary import flatten
from mtlrun.results.sweep_folder import COMMAND, PLAN, read_plan
from mtlrun.util.errors import RequestError
from mtlrun.util.shell import quoted

SWEEPS = re.compile(r"(range|choice|interval|tag|glob|sort|shuffle|int|float)\(")
FOLDERS = ("hydra.run.dir", "hydra.sweep.dir")  # of the sweep that is there already
PLANS = ("arms", "trials", "experiment")
NOT_SPELLED = ("hydra", "name", "notes", "trials", "focus")  # what an experiment's file says of itself, not of its runs
CONFIRMED = 100  # times over: a folder that says it confirms itself must not be followed for ever
MULTIRUN = ("-m", "--multirun")


def origin(run: RunRecord) -> Path:
    """Where the command of a run is to be found: its sweep's folder, or its own."""
    return run.sweep or run.folder


def with_seeds(place: Path, seeds: Iterable[int]) -> str | None:
    """The command of a sweep or run, with these seeds; None where it is not known."""
    words = _words(place)
    if words is None:
        return None
    if words[:1] == ["compare"]:  # --confirm: the same again trains seeds that were not used yet
        return quoted("mtlrun", *words)
    return _command([*_without(words, ("seed", *FOLDERS)), f"seed={seed_words(seeds)}"])


def with_values(
    place: Path, values: Mapping[str, str], options: Mapping[str, str] | None = None, seeds: Iterable[int] = ()
) -> str | None:
    """The command of a sweep or run, of a confirmed one that of what was confirmed, with other values of some keys.
    None where it is not known, or where its arms set these keys themselves and would not follow.

    `options` by group: what alone has the keys; then the arms of a plan do not count, and `seeds` are said.
    """
    place = _trained(place)
    words = _words(place)
    if words is None or (not options and _set_by_arms(place, words, values)):
        return None
    if options:
        spelled = _without(_unfolded(words), PLANS)
        words = [word for word in spelled if word.partition("=")[0].lstrip("+") not in options]
        words += [f"{group}={option}" for group, option in options.items()]
        words = [*_without(words, ("seed",)), f"seed={seed_words(seeds)}"]
    return _command([*_without(words, (*values, *FOLDERS)), *(f"{key}={value}" for key, value in values.items())])


def without_sweeps(place: Path, added: str, seeds: Iterable[int], dropped: Sequence[str] = ()) -> str | None:
    """The words of a sweep or run that are no sweeps, set no loss and none of the keys `dropped`, with one more and
    these seeds; None where they are not known."""
    words = _words(_trained(place))
    if words is None:
        return None
    spelled = _without(_unfolded(words), ("seed", "loss", *dropped, *FOLDERS, *PLANS))
    kept = [word for word in spelled if not is_sweep(word)]
    return _command([*(word for word in kept if word not in MULTIRUN), added, f"seed={seed_words(seeds)}"], sweep=False)


def is_confirmation(place: Path) -> bool:
    """Whether a sweep is one that `mtlrun compare DIR --confirm` trained."""
    words = _words(place)
    return words is not None and words[:1] == ["compare"]


def _unfolded(words: Sequence[str]) -> list[str]:
    """The words with an experiment spelled out: the keys and options that its file sets, and words do not; what it
    sweeps, and its arms, stay behind."""
    named = [word.partition("=")[2] for word in words if word.partition("=")[0] == "experiment"]
    named = [name for name in named if re.fullmatch(r"[\w.-]+", name)]
    file = next(
        (
            f
            for name in named
            for place in (conf_dir(), *conf_dirs(), Path("conf"))
            if (f := place / "experiment" / f"{name}.yaml").is_file()
        ),
        None,
    )
    if file is None:
        return [*words]
    import yaml

    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        return [*words]
    tree.pop("arms", None)
    options = [entry for entry in tree.pop("defaults", None) or [] if isinstance(entry, dict)]
    found = {key.split("/")[-1]: text(value) for entry in options for key, value in entry.items()}
    found |= {key: text(value) for key, value in flatten(tree).items() if key.split(".")[0] not in NOT_SPELLED}
    typed = {word.lstrip("+~").partition("=")[0] for word in words}
    return [*words, *(f"{key}={value}" for key, value in found.items() if key not in typed)]


def _trained(place: Path) -> Path:
    """The sweep itself, or that whose settings `--confirm` trained anew there."""
    for _ in range(CONFIRMED):
        words = _words(place)
        if words is None or words[:1] != ["compare"] or len(words) < 2:
            break
        place = Path(words[1])
    return place


def _set_by_arms(place: Path, words: Sequence[str], keys: Iterable[str]) -> bool:
    """Whether runs of a sweep have overrides of these keys that are not among its words: they are in its arms."""
    if not (place / PLAN).is_file():
        return False
    try:
        having = {str(key).lstrip("+") for job in read_plan(place) for key in job["overrides"]}
    except (RequestError, KeyError, TypeError, ValueError):
        return False
    typed = {word.lstrip("+").partition("=")[0] for word in words}
    return any(key in having and key not in typed for key in keys)


def seed_words(seeds: Iterable[int]) -> str:
    """Seeds as the value of an override: a range where they follow each other."""
    found = sorted(set(seeds))
    if len(found) > 2 and found == list(range(found[0], found[-1] + 1)):
        return f"range({found[0]},{found[-1] + 1})"
    return ",".join(map(str, found))


def is_sweep(word: str) -> bool:
    """Whether an override lists several values: a comma outside brackets and quotes, or a function that makes some."""
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
    """Words but those that set one of these keys, or a key below one of them."""

    def sets(word: str) -> bool:
        own = word.lstrip("+").partition("=")[0]
        return any(own == key or own.startswith(f"{key}.") for key in keys)

    return [word for word in words if not sets(word)]


@functools.cache
def _words(place: Path) -> list[str] | None:
    """The words behind `mtlrun` that made a sweep or run, but for those about Hydra: they go into commands that are
    shown to be copied, the folder may be a stranger's, and Hydra's settings can run any program."""
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
    """The same, all of them: from command.txt, from the plan, from Hydra's record."""
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
    return hydra_folder.read_words(place) if (place / hydra_folder.FOLDER / hydra_folder.WORDS).is_file() else None


def _of_plan(jobs: Sequence[Mapping[str, str]]) -> list[str] | None:
    """Overrides of a product; of a union, each run as an arm."""
    values: dict[str, dict[str, None]] = {}
    for job in jobs:
        for key, value in job.items():
            values.setdefault(key, {})[str(value)] = None
    product = 1
    for own in values.values():
        product *= len(own)
    if product == len(jobs) and all(set(job) == set(values) for job in jobs):
        return [_typed(key, ",".join(own)) for key, own in values.items()]
    common = {k: next(iter(own)) for k, own in values.items() if len(own) == 1 and all(k in job for job in jobs)}
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
