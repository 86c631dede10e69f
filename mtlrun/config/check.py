"""The check of a whole configuration. Code that runs after it knows neither YAML nor Hydra and can trust the types."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from mtlrun.config.extensions import load
from mtlrun.config.rules import notes_of
from mtlrun.config.rules.boosting_rules import leave_out_network
from mtlrun.config.rules.task_rules import ONE_TASK, related
from mtlrun.config.schema import (
    DEFAULT_OPTION,
    GROUPS,
    NETWORK_GROUPS,
    TOP_LEVEL,
    BoostingConfig,
    Config,
    ModelConfig,
    TaskConfig,
    TiedConfig,
    TrainerConfig,
)
from mtlrun.config.task_names import require_task_name
from mtlrun.config.values import from_mapping, require_task, typed
from mtlrun.tasks import names, type_of
from mtlrun.util.errors import RequestError, listing, nearest
from mtlrun.util.registry import unusable

FOLDER_NAME = re.compile(r"[\w-][\w.-]*\Z")


def check_stored(plain: Mapping[str, Any]) -> Config:
    """`check` for the configuration that a run or sweep has stored. mtlrun 0.1 knew no data.columns."""
    data = plain.get("data")
    if isinstance(data, Mapping) and "columns" not in data:
        plain = {**plain, "data": {**data, "reading": "0.1"}}
    return check(plain)


def check(plain: Mapping[str, Any]) -> Config:
    """Turns a composed and resolved configuration into a checked `Config`.

    Raises RequestError with the full key for an unknown key, a wrong type, a value out of bounds, an unknown task, or
    a combination of settings that has no meaning.
    """
    load()
    _require_one_run(plain)
    seed = typed(plain.get("seed", 0), int, "seed", {"at_least": 0, "below": 2**63})
    groups = _groups(plain)
    tasks = _tasks(plain.get("tasks"))
    notes = leave_out_network(groups, tasks) if isinstance(groups["model"], BoostingConfig) else []
    name = _name(plain)
    only = _only(plain.get("only"), groups["model"], tasks)
    _fill_in(groups, seed)
    config = Config(seed=seed, name=name, only=only, tasks=tasks, **groups)
    return dataclasses.replace(config, notes=(*notes, *notes_of(config)))


def _require_one_run(plain: Mapping[str, Any]) -> None:
    """Raises RequestError for an unknown key and for a key that makes a sweep."""
    for key in plain:
        if key not in GROUPS and key not in TOP_LEVEL:
            known = [*GROUPS, "experiment", *TOP_LEVEL]
            raise RequestError(f"{key}: no such key{nearest(key, known)}\nallowed: {listing(sorted(known), 20)}")
    for key in ("arms", "trials"):
        if plain.get(key) is not None:
            raise RequestError(
                f"{key}: only for a sweep, and this is one run\n"
                "add -m: mtlrun -m ...; in an experiment hydra: {mode: MULTIRUN}"
            )
    if plain.get("focus") is not None:
        raise RequestError(
            "focus: only for a sweep of arms, and this is one run\n"
            "leave it out, or name the sweep: mtlrun -m arms=shuffled focus=..."
        )


def _groups(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of every group. With model=boosting the groups that only networks have may be missing."""
    model = _group("model", plain.get("model") or {})
    boosting = isinstance(model, BoostingConfig)
    absent = {group: {"name": option} for group, option in NETWORK_GROUPS.items()} if boosting else {}
    others = [group for group in GROUPS if group != "model"]
    return {"model": model} | {g: _group(g, plain.get(g) or absent.get(g, {})) for g in others}


def _fill_in(groups: dict[str, Any], seed: int) -> None:
    """Sets values that are null from other settings: the seed of the split, and the strength of a penalty."""
    data, sharing = groups["data"], groups["sharing"]
    if data.split.seed is None:
        groups["data"] = dataclasses.replace(data, split=dataclasses.replace(data.split, seed=seed))
    if isinstance(sharing, TiedConfig) and sharing.strength is None:
        strength = sharing.measured[0 if groups["optimizer"].adaptive else 1]
        groups["sharing"] = dataclasses.replace(sharing, strength=strength)


def _group(group: str, tree: Any) -> Any:
    if not isinstance(tree, Mapping):
        raise RequestError(
            f"{group}: found {tree!r}, expected settings such as {group}.KEY=VALUE\n"
            f"allowed options: {group}={listing(GROUPS[group])}"
        )
    if isinstance(tree.get(group), Mapping):
        mend = "in a YAML of your own the first line must be # @package _global_"
        raise RequestError(f"{group}.{group}: no such key\n{mend}")
    options = GROUPS[group]
    name = tree.get("name", DEFAULT_OPTION.get(group))
    if group == "trainer":
        return from_mapping(TrainerConfig, tree, group, group)
    if not isinstance(name, str) or name not in options:
        raise RequestError(
            f"{group}.name: found {name!r}{nearest(name, options)}\nallowed: {listing(options)}{unusable()}"
        )
    label = group if group in DEFAULT_OPTION else f"{group}={name}"
    keys = {option: {f.name for f in dataclasses.fields(settings)} for option, settings in options.items()}
    for key in tree:
        having = [option for option in options if key not in keys[name] and key in keys[option]]
        if having:
            raise RequestError(
                f"{group}.{key}: {label} has no such key, {group}={listing(having)} has\n"
                f"allowed: {listing(sorted(keys[name] - {'name'}))}"
            )
    return from_mapping(options[name], tree, group, label)


def _tasks(tree: Any) -> dict[str, TaskConfig]:
    if tree is not None and not isinstance(tree, Mapping):
        raise RequestError(f"tasks: found {tree!r}\nallowed: a mapping: 'tasks={{price: {{type: regression}}}}'")
    tasks = {name: _task(name, settings) for name, settings in (tree or {}).items()}
    if not tasks:
        raise RequestError(
            "tasks: none are given\nname some: 'tasks={price: {type: regression}}', or "
            "write a YAML with `mtlrun init TABLE --targets a,b`"
        )
    related(tasks)
    return tasks


def _task(name: Any, settings: Any) -> TaskConfig:
    require_task_name(name)
    if isinstance(settings, Mapping) and settings.get("type") in names():
        settings = {"role": type_of(settings["type"]).roles[0], **settings}
    task: TaskConfig = typed(settings if settings is not None else {}, TaskConfig, f"tasks.{name}", {})
    for rule in ONE_TASK:
        rule(name, task)
    return task


def _name(plain: Mapping[str, Any]) -> str:
    name: str = typed(plain.get("name", "runs"), str, "name", {})
    if not FOLDER_NAME.match(name):
        raise RequestError(f"name: found {name!r}\nallowed: letters, digits, _ - and . for a folder below outputs/")
    return name


def _only(value: Any, model: Any, tasks: Mapping[str, TaskConfig]) -> list[str] | None:
    """The names of the tasks to train; None for all. With `model.pretrain`, by default the tasks not named there."""
    only = _named(value, tasks)
    if not isinstance(model, ModelConfig) or model.pretrain is None:
        return only
    for name in model.pretrain:
        require_task(name, tasks, "model.pretrain")
    left = only or [name for name in tasks if name not in model.pretrain]
    if not model.pretrain or not left:
        found = "every task, so that none is left for the run itself" if model.pretrain else "an empty list"
        raise RequestError(f"model.pretrain: found {found}\nallowed: some of {listing(tasks)}, or null")
    return left


def _named(value: Any, tasks: Mapping[str, TaskConfig]) -> list[str] | None:
    """The task names in `only`. Raises RequestError for an unknown task."""
    if value is None:
        return None
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not names:
        raise RequestError(f"only: found {value!r}\nallowed: a task or a list of tasks, of {listing(tasks)}")
    for name in names:
        require_task(name, tasks, "only")
    return [str(n) for n in names]
