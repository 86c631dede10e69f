"""Drops settings of tasks that `only` leaves out."""

from collections.abc import Mapping
from typing import Any

from mtlrun.config.schema import Config
from mtlrun.config.values import require_task
from mtlrun.util.errors import listing


def of_trained_tasks(
    config: Config, mapping: Mapping[str, Any], key: str, also: tuple[str, ...] = ()
) -> tuple[dict[str, Any], list[str]]:
    """The entries of `mapping` for tasks that are trained or named in `also`, and a note on the entries left out.

    Raises RequestError for an entry of an unknown task. The note does not name tasks of the first stage
    (model.pretrain).
    """
    for name in mapping:
        if name not in also:
            require_task(name, config.tasks, f"{key}.{name}")
    active, pretrained = config.active, config.net.pretrain or ()
    kept = {name: value for name, value in mapping.items() if name in also or name in active}
    absent = [name for name in mapping if name not in kept and name not in pretrained]
    return kept, [f"{key}: {listing(absent)} left out, as `only` leaves out the task"] if absent else []
