"""Rules about model=boosting: settings and losses that it does not have."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from mtlrun.config.schema import GROUPS, NETWORK_GROUPS, TRAINER_OF_BOOSTING, Config, TaskConfig, TrainerConfig
from mtlrun.tasks import INFERRED, Declaration, type_of
from mtlrun.util.errors import RequestError, listing


def leave_out_network(groups: dict[str, Any], tasks: Mapping[str, TaskConfig]) -> list[str]:
    """Resets the settings in `groups` that only networks have to their defaults. Returns a note on changed settings."""
    defaults = {group: GROUPS[group][option]() for group, option in NETWORK_GROUPS.items()}
    kept = {key: getattr(groups["trainer"], key) for key in TRAINER_OF_BOOSTING} | {"device": "cpu"}
    defaults["trainer"] = TrainerConfig(**kept)
    without = [key for group, default in defaults.items() for key in _different(group, groups[group], default)]
    without += [f"tasks.{name} ({task.type})" for name, task in tasks.items() if task.reads_inputs]
    groups |= defaults
    return [f"model=boosting: {listing(without)} left out, as only networks have that"] if without else []


def _different(group: str, settings: Any, default: Any) -> list[str]:
    """The group if its option is not the default one; else the keys whose values differ from the default."""
    if type(settings) is not type(default) or getattr(settings, "name", "") != getattr(default, "name", ""):
        return [group]
    keys = [f.name for f in dataclasses.fields(settings) if getattr(settings, f.name) != getattr(default, f.name)]
    return [f"{group}.{key}" for key in keys if (key, getattr(settings, key)) != ("device", "auto")]


def losses(config: Config) -> None:
    """model=boosting offers the types and the losses of its tasks."""
    for name, task in config.active.items() if config.boosting else ():
        for declared in _possible_types(task):
            loss = task.loss or declared.default_loss
            if loss in declared.boosted_losses:
                continue
            if not declared.boosted_losses:
                raise RequestError(
                    f"tasks.{name}.type: {task.type}, whose losses model=boosting does not have\n"
                    f"train it by a network (model=mlp), or leave it out: '~tasks.{name}'"
                )
            known = [f"{loss} ({theirs})" for loss, theirs in declared.boosted_losses.items()]
            raise RequestError(
                f"tasks.{name}.loss: {loss}, which model=boosting does not have\nallowed with it: {listing(known)}"
            )


def _possible_types(task: TaskConfig) -> list[Declaration]:
    """The types that the settings of a task allow and that have its loss."""
    types = [type_of(name) for name in ([task.type] if task.type is not None else INFERRED)]
    return [t for t in types if (task.loss or t.default_loss) in t.losses]
