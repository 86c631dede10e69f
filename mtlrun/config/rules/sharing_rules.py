"""Rules about the sharing scheme."""

from collections import Counter

from mtlrun.config.schema import MODELS, Config, GradientLossConfig, GroupsConfig, PerHeadLrConfig, TiedConfig
from mtlrun.config.schema.sharing import written
from mtlrun.config.values import require_task
from mtlrun.util.errors import RequestError, listing


def trunks(config: Config) -> None:
    """The scheme works with the trunk: it may need layers, or model=mlp if it makes several trunks."""
    sharing, model = config.sharing, config.model.name
    if sharing.makes_trunks and model not in MODELS:
        raise RequestError(
            f"sharing={sharing.name}: builds its trunks from model=mlp, and model is {model}\nset it: sharing=hard"
        )
    if sharing.needs_layers and not config.net.hidden:
        raise RequestError(
            f"sharing={sharing.name}: needs layers in the trunk, and model.hidden is empty\n"
            "set model.hidden=[64], or sharing=hard"
        )


def groups(config: Config) -> list[str]:
    """Each group has tasks, and no task is in two. Returns notes on tasks in no group and tasks that `only` leaves out.

    Raises RequestError otherwise.
    """
    sharing, key = config.sharing, "sharing.groups"
    if not isinstance(sharing, GroupsConfig):
        return []
    if not sharing.groups or not all(sharing.groups):
        found = "missing" if sharing.groups is None else f"found {written(sharing.groups)}"
        names = list(config.active)
        example = [names[:2], *([name] for name in names[2:3])]
        raise RequestError(f"{key}: {found}\nallowed: lists of tasks that share a trunk: '{key}={written(example)}'")
    named = [task for group in sharing.groups for task in group]
    for task in named:
        require_task(task, config.tasks, key)
    twice = [task for task, count in Counter(named).items() if count > 1]
    if twice:
        raise RequestError(f"{key}: {listing(twice)} is named twice\nallowed: each task once")
    left_out = [task for task in named if task not in config.active]
    single = [task for task in config.active if task not in named]
    notes = [f"{key}: {listing(left_out)} left out, as `only` leaves out the task"] if left_out else []
    return notes + ([f"{key}: {listing(single)} in no group: a trunk of its own"] if single else [])


def shared_gradients(config: Config) -> None:
    """There are shared parameters, or shared features, if a setting reads the gradients of the tasks there."""
    loss, sharing = config.loss, config.sharing
    if isinstance(loss, GradientLossConfig) and sharing.own_trunks:
        raise RequestError(
            f"loss={loss.name}: needs the tasks' gradients in shared parameters, and with sharing="
            f"{sharing.name} every task has a separate trunk\n"
            "set sharing=hard, or loss=sum"
        )
    if isinstance(loss, GradientLossConfig) and loss.at == "representation" and not sharing.one_representation:
        raise RequestError(
            "loss.at: found representation, the features that all heads read, and with sharing="
            f"{sharing.name} each task has separate features\nallowed: parameters"
        )
    if config.trainer.log_gradients and sharing.own_trunks:
        raise RequestError(
            f"trainer.log_gradients: compares gradients in what the tasks share, and with sharing="
            f"{sharing.name} that is nothing\n"
            "set sharing=hard, or trainer.log_gradients=false"
        )


def penalised_heads(config: Config) -> list[str]:
    """Returns notes if a penalty acts on the heads, because the trunk has no layers."""
    sharing, tasks, notes = config.sharing, config.active, list[str]()
    if not isinstance(sharing, TiedConfig) or config.net.hidden:
        return notes
    types = [task.type for task in tasks.values()]
    single = [name for name, task in tasks.items() if types.count(task.type) == 1]
    if sharing.ties_tasks and len(tasks) > 1 and single and None not in types:
        notes.append(
            f"sharing={sharing.name}: model.hidden is empty, so that heads of one type are tied to each "
            f"other, and {listing(single)} to none"
        )
    if isinstance(config.lr, PerHeadLrConfig):
        notes.append(
            f"sharing={sharing.name}: model.hidden is empty, and the penalty on the heads takes its steps at "
            "lr.trunk, not at theirs"
        )
    return notes


def mixed_constants(config: Config) -> None:
    """An inner layer cannot be constant if tasks read a mixture or copy of it, which later layers do not read."""
    graph, sharing = config.task_graph, config.sharing
    for name, constants in graph.constants.items() if sharing.copies else ():
        inner = [c for c in constants if c.startswith("layer") and c != f"layer{graph.depth}"]
        if inner:
            raise RequestError(
                f"graph.constants.{name}: found {inner[0]}, and with sharing={sharing.name} later layers do not read "
                f"what a task reads there\n"
                f"allowed: layer{graph.depth}, estimates and parameters"
            )
