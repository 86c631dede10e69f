"""The check of a whole configuration. Behind it no module knows YAML or Hydra, and nothing is wrong in form."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from mtlrun.config import (
    DEFAULT_OPTION,
    GROUPS,
    NETWORK_GROUPS,
    TOP_LEVEL,
    TRAINER_OF_BOOSTING,
    AdamConfig,
    BoostingConfig,
    Config,
    PerHeadLrConfig,
    SgdConfig,
    TaskConfig,
    TrainerConfig,
)
from mtlrun.config_loss import FamoLossConfig, FixedLossConfig, GradientLossConfig, MgdaLossConfig
from mtlrun.errors import RequestError, listing, nearest
from mtlrun.graph import Graph, parse_graph
from mtlrun.toy import COORDINATES, OBJECTIVES
from mtlrun.values import build, rate, require_task, typed

TASK_NAME = re.compile(r"[A-Za-z_]\w*\Z")
RESERVED = ("trunk", "default")
SELECT_BY = ("skill", "worst", "last")
FOLDER_NAME = re.compile(r"[\w-][\w.-]*\Z")


def check(plain: Mapping[str, Any]) -> Config:
    """A composed and resolved configuration, as a checked `Config`.

    Raises RequestError with the full key for an unknown key, a wrong type, a value out of bounds, an
    unknown task, or a combination without a meaning.
    """
    for key in plain:
        if key not in GROUPS and key not in TOP_LEVEL:
            known = [*GROUPS, "experiment", *TOP_LEVEL]
            raise RequestError(f"{key}: no such key{nearest(key, known)}\nallowed: {listing(sorted(known), 20)}")
    for key in ("arms", "trials"):
        if plain.get(key) is not None:
            raise RequestError(f"{key}: makes a sweep, and this is one run\n"
                               "add -m: mtlrun -m ...; in an experiment hydra: {mode: MULTIRUN}")  # fmt: skip
    if plain.get("focus") is not None:
        raise RequestError("focus: the task that a sweep of several arms asks about, and this is one run\n"
                           "leave it out, or name the sweep: mtlrun -m arms=shuffled focus=...")  # fmt: skip
    seed = typed(plain.get("seed", 0), int, "seed", {"at_least": 0, "below": 2**63})  # data.split.seed follows it
    model = _group("model", plain.get("model") or {})
    boosting = isinstance(model, BoostingConfig)
    absent = {group: {"name": option} for group, option in NETWORK_GROUPS.items()} if boosting else {}
    groups = {group: _group(group, plain.get(group) or absent.get(group, {})) for group in GROUPS} | {"model": model}
    tasks = _tasks(plain.get("tasks"))
    notes = _leave_out_network(groups, tasks) if boosting else []
    name = typed(plain.get("name", "runs"), str, "name", {})
    if not FOLDER_NAME.match(name):
        raise RequestError(f"name: found {name!r}\nallowed: letters, digits, _ - and . for a folder below outputs/")
    only = _only(plain.get("only"), tasks)
    if groups["data"].split.seed is None:
        split = dataclasses.replace(groups["data"].split, seed=seed)
        groups["data"] = dataclasses.replace(groups["data"], split=split)
    config = Config(seed=seed, name=name, only=only, tasks=tasks, **groups)
    return _cross_check(config, notes)


def _leave_out_network(groups: dict[str, Any], tasks: Mapping[str, TaskConfig]) -> list[str]:
    """Sets in `groups` what model=boosting has not to the defaults; a note of what was set otherwise, or asked for."""
    defaults = {group: GROUPS[group][option]() for group, option in NETWORK_GROUPS.items()}
    kept = {key: getattr(groups["trainer"], key) for key in TRAINER_OF_BOOSTING} | {"device": "cpu"}
    defaults["trainer"] = TrainerConfig(**kept)
    without = []
    for group, default in defaults.items():
        own = groups[group]
        if type(own) is not type(default) or getattr(own, "name", "") != getattr(default, "name", ""):
            without.append(group)
            continue
        keys = [f.name for f in dataclasses.fields(own) if getattr(own, f.name) != getattr(default, f.name)]
        without += [f"{group}.{key}" for key in keys if (key, getattr(own, key)) != ("device", "auto")]
    without += [f"tasks.{name} (reconstruction)" for name, task in tasks.items() if task.type == "reconstruction"]
    groups |= defaults
    return [f"model=boosting: {listing(without)} left out, as only networks have that"] if without else []


def _group(group: str, tree: Any) -> Any:
    if not isinstance(tree, Mapping):
        raise RequestError(f"{group}: found {tree!r}, expected settings such as {group}.KEY=VALUE\n"
                           f"allowed options: {group}={listing(GROUPS[group])}")  # fmt: skip
    options = GROUPS[group]
    name = tree.get("name", DEFAULT_OPTION.get(group))
    if group == "trainer":
        return build(TrainerConfig, tree, group, group)
    if name not in options:
        raise RequestError(f"{group}.name: found {name!r}{nearest(name, options)}\nallowed: {listing(options)}")
    label = group if group in DEFAULT_OPTION else f"{group}={name}"
    own = {f.name for f in dataclasses.fields(options[name])}
    for key in tree:
        having = [o for o, c in options.items() if key not in own and key in {f.name for f in dataclasses.fields(c)}]
        if having:
            raise RequestError(f"{group}.{key}: {label} has no such key, {group}={listing(having)} has\n"
                               f"allowed: {listing(sorted(own - {'name'}))}")  # fmt: skip
    return build(options[name], tree, group, label)


def _tasks(tree: Any) -> dict[str, TaskConfig]:
    if not isinstance(tree, Mapping):
        if tree is None:
            tree = {}
        else:
            raise RequestError(f"tasks: found {tree!r}\nallowed: a mapping: 'tasks={{price: {{type: regression}}}}'")
    tasks = {}
    for name, settings in tree.items():
        if not isinstance(name, str) or not TASK_NAME.match(name) or name in RESERVED:
            raise RequestError(f"tasks.{name}: no name for a task\nallowed: letters, digits and _ with no digit first, "
                               f"but not {listing(RESERVED)}; the column's name goes to tasks.NAME.target")  # fmt: skip
        if isinstance(settings, Mapping) and settings.get("type") == "reconstruction":
            settings = {"role": "auxiliary", **settings}
        tasks[name] = typed(settings if settings is not None else {}, TaskConfig, f"tasks.{name}", {})
        if tasks[name].type == "reconstruction":
            _reconstruction(tasks[name], f"tasks.{name}")
        if tasks[name].type == "objective":
            _objective(tasks[name], name)
    if not tasks:
        raise RequestError("tasks: none are given\nname some: 'tasks={price: {type: regression}}', or "
                           "write a YAML with `mtlrun init TABLE --targets a,b`")  # fmt: skip
    for name, task in tasks.items():
        _require_rows_of(name, task.train_rows_of, tasks)
    return tasks


def _require_rows_of(name: str, other: str | None, tasks: Mapping[str, TaskConfig]) -> None:
    """Raises RequestError where a task's `train_rows_of` names no task, or leads back to the task itself."""
    passed = [name]
    while other is not None:
        require_task(other, tasks, f"tasks.{passed[-1]}.train_rows_of")
        passed.append(other)
        if other == name:
            raise RequestError(f"tasks.{name}.train_rows_of: goes in a circle, {' -> '.join(passed)}\n"
                               f"allowed: another task, or null")  # fmt: skip
        other = tasks[other].train_rows_of if passed.count(other) == 1 else None  # a circle of others: theirs to report


def _reconstruction(task: TaskConfig, key: str) -> None:
    """Raises RequestError for settings that have no meaning where the inputs are the target."""
    if task.role != "auxiliary":
        raise RequestError(f"{key}.role: found {task.role}, and {key}.type is reconstruction\nallowed: auxiliary")
    plain = TaskConfig()
    for name in ("target", "positive", "class_weights", "shuffle"):
        if getattr(task, name) != getattr(plain, name):
            raise RequestError(f"{key}.{name}: a reconstruction has none, its target are the run's inputs\n"
                               f"remove it: '~{key}.{name}'")  # fmt: skip


def _objective(task: TaskConfig, name: str) -> None:
    """Raises RequestError for settings that have no meaning without labels, and for a function that there is not."""
    plain = TaskConfig()
    for key in ("positive", "class_weights", "shuffle", "train_labels", "train_rows_of"):
        if getattr(task, key) != getattr(plain, key):
            raise RequestError(f"tasks.{name}.{key}: an objective has none, as it has no labels\n"
                               f"remove it: '~tasks.{name}.{key}'")  # fmt: skip
    target = task.target or name
    if target not in OBJECTIVES:
        raise RequestError(f"tasks.{name}.target: no objective is named {target!r}{nearest(target, OBJECTIVES)}\n"
                           f"allowed: {listing(OBJECTIVES)}")  # fmt: skip


def _point(config: Config) -> None:
    """What goes with objectives alone: model=point, and nothing that reads labels or heads. Raises RequestError."""
    objectives = [name for name, task in config.active.items() if task.type == "objective"]
    others = [name for name in config.active if name not in objectives]
    if config.point is None:
        if objectives:
            raise RequestError(f"tasks.{objectives[0]}.type: objective, a function of a point, and model is "
                               f"{config.model.name}\nset it: model=point")  # fmt: skip
        return
    if others:
        raise RequestError(f"model=point: has no heads, and {others[0]} is no objective\n"
                           f"set tasks.{others[0]}.type=objective, or model=mlp")  # fmt: skip
    if len(config.point.start) != COORDINATES:
        raise RequestError(f"model.start: found {config.point.start}, and the objectives are functions of "
                           f"{COORDINATES} numbers\nallowed: model.start=[9.0,9.0]")  # fmt: skip
    if config.trainer.select != "last":
        raise RequestError(f"trainer.select: found {config.trainer.select}, which is about predictions, and "
                           "model=point predicts nothing\nset it: trainer.select=last")  # fmt: skip
    if config.graph.name != "none" or config.graph.receives:
        raise RequestError("graph: model=point has no heads that could read an estimate\nset it: graph=none")
    loss = config.loss
    if isinstance(loss, MgdaLossConfig) and loss.normalize in ("loss", "loss+"):
        raise RequestError(f"loss.normalize: {loss.normalize} has no meaning for a loss below 0, and {objectives[0]} "
                           "is an objective, which may be\nallowed: none, l2")  # fmt: skip
    if not loss.needs_positive:
        return
    for name in objectives:
        if isinstance(loss, FamoLossConfig) and loss.bound(name) < 0:
            continue
        famo = "loss.lower_bound=VALUE below every loss, or " * isinstance(loss, FamoLossConfig)
        raise RequestError(f"loss={loss.name}: has no meaning for a loss below 0, and {name} is an objective, "
                           f"which may be\nset {famo}loss=sum")  # fmt: skip


def _require_weights(loss: GradientLossConfig, graph: Graph) -> None:
    """Raises RequestError for a task whose gradient ends in its head, which would get no weight and not learn."""
    for task, edge in graph.trunk.items():
        others = loss.at == "parameters" and any(e.gradient.scale != 0 for e in graph.into(task))
        if edge.gradient.scale == 0 and not others:
            raise RequestError(f"loss.heads: weighted, and loss={loss.name} gives no weight to {task}, whose gradient "
                               "does not reach the trunk: its head would not learn\n"
                               "set it: loss.heads=own")  # fmt: skip


def _only(value: Any, tasks: Mapping[str, TaskConfig]) -> list[str] | None:
    if value is None:
        return None
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not names:
        raise RequestError(f"only: found {value!r}\nallowed: a task or a list of tasks, of {listing(tasks)}")
    for name in names:
        require_task(name, tasks, "only")
    return [str(n) for n in names]


def _cross_check(config: Config, notes: list[str]) -> Config:
    """What concerns more than one group: task names in mappings, selection, weights, rates, the graph."""
    active = config.active
    huber = next((name for name, task in active.items() if task.loss == "huber" and config.boosting), None)
    if huber is not None:
        raise RequestError(f"tasks.{huber}.loss: huber, which model=boosting does not have\n"
                           "allowed with it: mse (squared_error), l1 (absolute_error)")  # fmt: skip

    def drop_absent(mapping: Mapping[str, Any], key: str, also: tuple[str, ...] = ()) -> dict[str, Any]:
        kept = {}
        for name, value in mapping.items():
            if name not in also:
                require_task(name, config.tasks, f"{key}.{name}")
            if name in also or name in active:
                kept[name] = value
        absent = [n for n in mapping if n not in kept]
        if absent:
            notes.append(f"{key}: {listing(absent)} left out, as `only` leaves out the task")
        return kept

    loss, lr = config.loss, config.lr
    if isinstance(loss, FamoLossConfig):
        own = {"": loss.lower_bound}
        if isinstance(loss.lower_bound, Mapping):
            own = {f".{n}": v for n, v in drop_absent(loss.lower_bound, "loss.lower_bound").items()}
        for name, value in own.items():
            typed(value, float, f"loss.lower_bound{name}", {})
    if loss.warm_epochs >= config.trainer.epochs:
        notes.append(f"loss={loss.name}: warms up for {loss.warm_epochs} epochs, and trainer.epochs is "
                     f"{config.trainer.epochs}, so that it never begins")  # fmt: skip
    _point(config)
    if isinstance(loss, FixedLossConfig):
        weights = drop_absent(loss.weights, "loss.weights")
        checked = {n: typed(w, float, f"loss.weights.{n}", {"at_least": 0.0}) for n, w in weights.items()}
        if checked and all(checked.get(t, 1.0) == 0 for t in active):
            raise RequestError("loss.weights: every task has weight 0\nallowed: at least one weight above 0")
    for (key, value), why in loss.refuses.items():
        if getattr(loss, key) == value:
            default = next(f.default for f in dataclasses.fields(loss) if f.name == key)
            raise RequestError(f"loss.{key}: {value} has no meaning with loss={loss.name}, as {why}\n"
                               f"allowed: {default}")  # fmt: skip
    if isinstance(lr, PerHeadLrConfig):
        heads = drop_absent(lr.heads, "lr.heads", also=("default",))
        if "default" not in heads:
            raise RequestError("lr.heads.default: missing\nset it: lr.heads.default=1e-3")
        rates = {rate(lr.trunk, lr.base, "lr.trunk")} | {rate(v, lr.base, f"lr.heads.{n}") for n, v in heads.items()}
        if len(rates) == 1:
            notes.append(f"lr=per_head: every rate is {rates.pop():g}, the same as lr=single")
    split = config.data.split
    given = [k for k in ("by", "column", "files") if getattr(split, k) is not None]
    if len(given) > 1:
        raise RequestError(f"data.split: {listing(given)} are all given\nallowed: one of by, column, files")
    if not {"column", "files"} & set(given) and split.train + split.val + split.test > 1 + 1e-9:
        total = split.train + split.val + split.test
        parts = f"train {split.train:g}, val {split.val:g}, test {split.test:g}"
        raise RequestError(f"data.split: {parts} add up to {total:g}\nallowed: at most 1; name all three")
    for part in split.files or {}:
        if part not in ("val", "test"):
            raise RequestError(
                f"data.split.files.{part}: no such part{nearest(part, ('val', 'test'))}\nallowed: val, test"
            )
    if split.files is not None and "test" not in split.files:
        raise RequestError("data.split.files.test: missing\nset it: data.split.files.test=FILE")
    select = config.trainer.select
    if select not in SELECT_BY:
        require_task(select, config.tasks, f"trainer.select ({', '.join(SELECT_BY)} or a task)")
        if select not in active:
            raise RequestError(f"trainer.select: {select} is not trained, as only={listing(config.only or [])}")
        if active[select].type == "reconstruction":
            raise RequestError(f"trainer.select: {select} reconstructs the inputs\n"
                               f"allowed: {', '.join(SELECT_BY)}, another task")  # fmt: skip
    elif not any(t.role == "main" for t in active.values()):
        raise RequestError("tasks: none has role main, so there is nothing to select a checkpoint by")
    if not config.boosting and not config.net.hidden:
        for name in ("gradient_noise", "log_gradients"):
            if getattr(config.trainer, name):
                raise RequestError(f"trainer.{name}: the trunk has no parameters, as model.hidden is empty\n"
                                   f"set model.hidden=[64], or '~trainer.{name}'")  # fmt: skip
        if isinstance(loss, GradientLossConfig):
            raise RequestError(f"loss={loss.name}: reads the tasks' gradients in the trunk, and the trunk has no "
                               "parameters, as model.hidden is empty\nset model.hidden=[64], or loss=sum")  # fmt: skip
        if loss.heads == "own":
            raise RequestError("loss.heads: own tells heads from the trunk, and the trunk has no parameters, as "
                               "model.hidden is empty\nset model.hidden=[64], or loss.heads=weighted")  # fmt: skip
    if config.trainer.log_activations and not config.boosting:
        if config.net.activation != "relu":
            raise RequestError("trainer.log_activations: counts units of relu that are 0, and model.activation is "
                               f"{config.net.activation}\n"
                               "set model.activation=relu, or '~trainer.log_activations'")  # fmt: skip
        if not config.net.hidden and not config.net.head_hidden:
            raise RequestError("trainer.log_activations: the network has no hidden layer\n"
                               "set model.hidden=[64], or '~trainer.log_activations'")  # fmt: skip
    optimizer = config.optimizer
    if isinstance(optimizer, SgdConfig) and optimizer.nesterov and optimizer.momentum == 0:
        raise RequestError("optimizer.nesterov: needs a momentum\nset it: optimizer.momentum=0.9")
    if isinstance(optimizer, AdamConfig) and len(optimizer.betas) != 2:
        raise RequestError(f"optimizer.betas: found {optimizer.betas}\nallowed: two numbers from 0 to below 1")
    graph = parse_graph(config.graph, config.tasks, active, len(config.net.hidden))
    if isinstance(loss, GradientLossConfig) and loss.heads == "weighted" and loss.weighs_by_gradient:
        _require_weights(loss, graph)
    if not config.net.head_hidden and any(e.what == "embedding" for e in graph.edges):
        raise RequestError("graph: an edge passes an embedding, and heads have no hidden layer\n"
                           "set model.head_hidden=[64], or what=logits")  # fmt: skip
    notes += graph.notes
    return dataclasses.replace(config, notes=tuple(notes))


# ---------------------------------------------------------------- the folder of YAML files
