"""Finds overrides that complete a word, for tab completion."""

import dataclasses
import typing
from collections.abc import Iterable, Sequence

from omegaconf import DictConfig, OmegaConf

from mtlrun.compose.hydra_settings import HYDRA_KEYS
from mtlrun.compose.overrides import OPTION_GROUPS
from mtlrun.compose.request import compose, open_loader
from mtlrun.config.schema import DEFAULT_OPTION, GROUPS, TOP_LEVEL, TaskConfig
from mtlrun.config.values import words_of
from mtlrun.util.errors import RequestError

OF_TASKS = ("loss.weights", "lr.heads", "graph.receives")  # mappings whose keys are tasks


def overrides_like(word: str, before: Sequence[str]) -> list[str]:
    """Returns overrides, or their beginnings, that may complete `word` after the overrides `before`."""
    key, equals, value = word.partition("=")
    listed = value.rpartition(",")  # in a sweep the last value is completed
    if not equals:
        return _keys(key, _composed(before))
    return [f"{key}={listed[0]}{listed[1]}{each}" for each in _values(key, before)]


def _composed(before: Sequence[str]) -> DictConfig:
    """The configuration of the overrides without sweeps. If they are wrong, the configuration without overrides."""
    single = [line for line in before if "," not in line and "(" not in line]
    for lines in (single, []):
        try:
            return compose(lines).cfg
        except RequestError:
            continue
    return OmegaConf.create()


def _values(key: str, before: Sequence[str]) -> Iterable[str]:
    """The values that a key takes, if they are words."""
    plain = key.lstrip("+")
    if plain in OPTION_GROUPS or plain == "hydra/launcher":
        return [str(each) for each in open_loader().get_group_options(plain)]
    cfg = _composed(before)
    if plain in ("only", "focus"):
        return list(cfg.get("tasks") or {})
    folder, _, name = plain.rpartition(".")
    schema = _schema(folder, cfg)
    bounds = {f.name: f.metadata for f in dataclasses.fields(schema)} if schema is not None else {}
    return words_of(typing.get_type_hints(schema)[name], bounds[name]) if name in bounds else []


def _keys(word: str, cfg: DictConfig) -> list[str]:
    """The keys at the level of the last part of a word: `KEY=`, or `KEY.` for a mapping."""
    folder, dot, _ = word.rpartition(".")
    if not dot:
        valued = [f"{key}=" for key in (*OPTION_GROUPS, *TOP_LEVEL, "hydra/launcher") if key != "tasks"]
        return [*valued, *(f"{key}." for key in (*GROUPS, "tasks", "hydra"))]
    if folder.split(".")[0] == "hydra":
        return [f"{key}=" for key in HYDRA_KEYS if "." in key]
    schema, node = _schema(folder, cfg), OmegaConf.select(cfg, folder)
    names = [f.name for f in dataclasses.fields(schema) if f.name != "name"] if schema is not None else []
    names += [str(key) for key in node if key != "name"] if isinstance(node, DictConfig) else []
    if folder in OF_TASKS:
        names += list(cfg.get("tasks") or {})
    deeper = {name for name in names if OmegaConf.is_dict(OmegaConf.select(cfg, f"{folder}.{name}"))}
    deeper |= {name for name in names if f"{folder}.{name}" in OF_TASKS or folder == "graph.receives"}
    return [f"{folder}.{name}{'.' if name in deeper else '='}" for name in dict.fromkeys(names)]


def _schema(folder: str, cfg: DictConfig) -> type | None:
    """The dataclass of the settings below a key: a group's option, or a task; None for another key."""
    top, dot, rest = folder.partition(".")
    if top == "tasks" and rest and "." not in rest:
        return TaskConfig
    if top not in GROUPS or dot:
        return None
    return GROUPS[top].get(str(OmegaConf.select(cfg, f"{top}.name") or DEFAULT_OPTION.get(top)))
