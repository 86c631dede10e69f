"""What model=boosting does not have."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from mtlrun.config.schema import GROUPS, NETWORK_GROUPS, TRAINER_OF_BOOSTING, Config, TaskConfig, TrainerConfig
from mtlrun.util.errors import RequestError, listing


def leave_out_network(groups: dict[str, Any], tasks: Mapping[str, TaskConfig]) -> list[str]:
    """Sets in `groups` to the defaults what only networks have; a note of what was asked for otherwise."""
    defaults = {group: GROUPS[group][option]() for group, option in NETWORK_GROUPS.items()}
    kept = {key: getattr(groups["trainer"], key) for key in TRAINER_OF_BOOSTING} | {"device": "cpu"}
    defaults["trainer"] = TrainerConfig(**kept)
    without = [key for group, default in defaults.items() for key in _different(group, groups[group], default)]
    without += [f"tasks.{name} (reconstruction)" for name, task in tasks.items() if task.type == "reconstruction"]
    groups |= defaults
    return [f"model=boosting: {listing(without)} left out, as only networks have that"] if without else []


def _different(group: str, settings: Any, default: Any) -> list[str]:
    """The group, where its option is another than the default one; else the keys whose values are others."""
    if type(settings) is not type(default) or getattr(settings, "name", "") != getattr(default, "name", ""):
        return [group]
    keys = [f.name for f in dataclasses.fields(settings) if getattr(settings, f.name) != getattr(default, f.name)]
    return [f"{group}.{key}" for key in keys if (key, getattr(settings, key)) != ("device", "auto")]


def losses(config: Config) -> None:
    huber = next((name for name, task in config.active.items() if task.loss == "huber" and config.boosting), None)
    if huber is not None:
        raise RequestError(
            f"tasks.{huber}.loss: huber, which model=boosting does not have\n"
            "allowed with it: mse (squared_error), l1 (absolute_error)"
        )
