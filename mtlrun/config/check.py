"""The check of a whole configuration. Behind it no module knows YAML or Hydra, and nothing is wrong in form."""

import dataclasses
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from mtlrun.config.extensions import load, unusable
from mtlrun.config.graph import NOTHING, Graph, parse_graph
from mtlrun.config.loss_settings import FamoLossConfig, GradientLossConfig, MgdaLossConfig
from mtlrun.config.schema import (
    DEFAULT_OPTION,
    GROUPS,
    NETWORK_GROUPS,
    TOP_LEVEL,
    TRAINER_OF_BOOSTING,
    AdamConfig,
    BoostingConfig,
    Config,
    ModelConfig,
    PerHeadLrConfig,
    SgdConfig,
    TaskConfig,
    TrainerConfig,
)
from mtlrun.config.sharing_settings import SHARINGS, TiedConfig
from mtlrun.config.stages import TASK_FREE, first_stage
from mtlrun.config.values import from_mapping, rate, require_task, typed
from mtlrun.tasks import INFERRED, names, type_of
from mtlrun.tasks.toy_objectives import COORDINATES
from mtlrun.util.errors import RequestError, listing, nearest

TASK_NAME = re.compile(r"[A-Za-z_]\w*\Z")
RESERVED = ("trunk", "default")
SELECT_BY = ("skill", "worst", "last")
FOLDER_NAME = re.compile(r"[\w-][\w.-]*\Z")


def check(plain: Mapping[str, Any]) -> Config:
    """A composed and resolved configuration, as a checked `Config`.

    Raises RequestError with the full key for an unknown key, a wrong type, a value out of bounds, an
    unknown task, or a combination without a meaning.
    """
    load()
    for key in plain:
        if key not in GROUPS and key not in TOP_LEVEL:
            known = [*GROUPS, "experiment", *TOP_LEVEL]
            raise RequestError(f"{key}: no such key{nearest(key, known)}\nallowed: {listing(sorted(known), 20)}")
    for key in ("arms", "trials"):
        if plain.get(key) is not None:
            raise RequestError(
                f"{key}: makes a sweep, and this is one run\n"
                "add -m: mtlrun -m ...; in an experiment hydra: {mode: MULTIRUN}"
            )
    if plain.get("focus") is not None:
        raise RequestError(
            "focus: the task that a sweep of several arms asks about, and this is one run\n"
            "leave it out, or name the sweep: mtlrun -m arms=shuffled focus=..."
        )
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
    if isinstance(model, ModelConfig) and model.pretrain is not None:
        only = _after(model.pretrain, only, tasks)
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
    without += [f"tasks.{name} ({task.type})" for name, task in tasks.items() if task.reads_inputs]
    groups |= defaults
    return [f"model=boosting: {listing(without)} left out, as only networks have that"] if without else []


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
    own = {f.name for f in dataclasses.fields(options[name])}
    for key in tree:
        having = [o for o, c in options.items() if key not in own and key in {f.name for f in dataclasses.fields(c)}]
        if having:
            raise RequestError(
                f"{group}.{key}: {label} has no such key, {group}={listing(having)} has\n"
                f"allowed: {listing(sorted(own - {'name'}))}"
            )
    return from_mapping(options[name], tree, group, label)


def _tasks(tree: Any) -> dict[str, TaskConfig]:
    if not isinstance(tree, Mapping):
        if tree is None:
            tree = {}
        else:
            raise RequestError(f"tasks: found {tree!r}\nallowed: a mapping: 'tasks={{price: {{type: regression}}}}'")
    tasks = {}
    for name, settings in tree.items():
        if not isinstance(name, str) or not TASK_NAME.match(name) or name in RESERVED:
            raise RequestError(
                f"tasks.{name}: no name for a task\nallowed: letters, digits and _ with no digit first, "
                f"but not {listing(RESERVED)}; the column's name goes to tasks.NAME.target"
            )
        if isinstance(settings, Mapping) and settings.get("type") in names():
            settings = {"role": type_of(settings["type"]).roles[0], **settings}
        tasks[name] = typed(settings if settings is not None else {}, TaskConfig, f"tasks.{name}", {})
        _of_type(tasks[name], name)
        _derived(tasks[name], f"tasks.{name}")
        if tasks[name].discard and tasks[name].role == "main":
            raise RequestError(
                f"tasks.{name}.discard: found true, and tasks.{name}.role is main\n"
                f"set tasks.{name}.role=auxiliary, or tasks.{name}.discard=false"
            )
    if not tasks:
        raise RequestError(
            "tasks: none are given\nname some: 'tasks={price: {type: regression}}', or "
            "write a YAML with `mtlrun init TABLE --targets a,b`"
        )
    for name, task in tasks.items():
        _require_rows_of(name, task.train_rows_of, tasks)
        if task.head is not None:
            _require_head(name, task, tasks)
    return tasks


def _require_head(name: str, task: TaskConfig, tasks: Mapping[str, TaskConfig]) -> None:
    """Raises RequestError where a task's `head` is not that of another task that has one of its own and the same
    type."""
    key, other = f"tasks.{name}.head", task.head
    require_task(str(other), tasks, key)
    if other == name or tasks[str(other)].head is not None:
        raise RequestError(f"{key}: {other} has no head of its own\nallowed: a task with one, or null")
    if task.type is None or task.type != tasks[str(other)].type:
        raise RequestError(
            f"{key}: {other} has type {tasks[str(other)].type}, {name} {task.type}\n"
            f"give both the same: tasks.{name}.type, tasks.{other}.type"
        )


def _require_rows_of(name: str, other: str | None, tasks: Mapping[str, TaskConfig]) -> None:
    """Raises RequestError where a task's `train_rows_of` names no task, or leads back to the task itself."""
    passed = [name]
    while other is not None:
        require_task(other, tasks, f"tasks.{passed[-1]}.train_rows_of")
        passed.append(other)
        if other == name:
            raise RequestError(
                f"tasks.{name}.train_rows_of: goes in a circle, {' -> '.join(passed)}\nallowed: another task, or null"
            )
        other = tasks[other].train_rows_of if passed.count(other) == 1 else None  # a circle of others: theirs to report


def _of_type(task: TaskConfig, name: str) -> None:
    """Raises RequestError for a role or settings that have no meaning with a task's type, and for a function that there
    is not."""
    declared, plain, key = task.declared, TaskConfig(), f"tasks.{name}"
    if declared is None:
        return
    if task.role not in declared.roles:
        raise RequestError(
            f"{key}.role: found {task.role}, and {key}.type is {task.type}\nallowed: {listing(declared.roles)}"
        )
    for setting in declared.without:
        if getattr(task, setting) != getattr(plain, setting):
            raise RequestError(f"{key}.{setting}: {declared.because}\nremove it: '~{key}.{setting}'")
    target = task.target or name
    if declared.functions and target not in declared.functions:
        raise RequestError(
            f"{key}.target: no {task.type} is named {target!r}{nearest(target, declared.functions)}\n"
            f"allowed: {listing(declared.functions)}"
        )


def _derived(task: TaskConfig, key: str) -> None:
    """Raises RequestError for labels that are derived in a way that has no meaning."""
    if task.expression is not None and task.target is not None:
        raise RequestError(
            f"{key}.expression: found {task.expression!r}, and {key}.target is {task.target!r}\n"
            f"remove one of them: '~{key}.expression', or '~{key}.target'; an expression may name "
            "columns"
        )
    if task.columns is not None and not task.reads_inputs:
        raise RequestError(
            f"{key}.columns: says what a reconstruction is about, and {key}.type is {task.type}\n"
            f"set {key}.type=reconstruction, or '~{key}.columns'"
        )
    bins, smooth, declared = task.bins, task.smooth, task.declared
    if bins is not None:
        numbers = declared is not None and declared.has_numbers
        if numbers or smooth is not None:
            other, mend = f"{key}.smooth gives numbers", f"remove one of them: '~{key}.bins', or '~{key}.smooth'"
            if numbers:
                other, mend = f"{key}.type is {task.type}", f"set {key}.type=categorical, or '~{key}.bins'"
            raise RequestError(f"{key}.bins: makes classes, and {other}\n{mend}")
        if isinstance(bins, int) and bins < 2:
            raise RequestError(f"{key}.bins: found {bins}\nallowed: a whole number from 2, or a list of inner edges")
        if isinstance(bins, list) and (not bins or any(b <= a for a, b in pairwise(bins))):
            raise RequestError(f"{key}.bins: found {bins}\nallowed: inner edges that increase: [10, 20]")
    if smooth is not None:
        if declared is not None and not declared.averages:
            raise RequestError(
                f"{key}.smooth: means of numbers, and {key}.type is {task.type}\nallowed with it: {key}.type=regression"
            )
        if smooth.window % 2 == 0:
            raise RequestError(
                f"{key}.smooth.window: found {smooth.window}\n"
                "allowed: an odd number, so that a row stands in the middle of its window"
            )


def _point(config: Config) -> None:
    """What goes with objectives alone: model=point, and nothing that reads labels or heads. Raises RequestError."""
    active = config.active
    objectives = [name for name, task in active.items() if task.declared is not None and task.declared.of_a_point]
    others = [name for name in active if name not in objectives]
    if config.point is None:
        if objectives:
            raise RequestError(
                f"tasks.{objectives[0]}.type: objective, a function of a point, and model is "
                f"{config.model.name}\nset it: model=point"
            )
        return
    if others:
        raise RequestError(
            f"model=point: has no heads, and {others[0]} is no objective\n"
            f"set tasks.{others[0]}.type=objective, or model=mlp"
        )
    if len(config.point.start) != COORDINATES:
        raise RequestError(
            f"model.start: found {config.point.start}, and the objectives are functions of "
            f"{COORDINATES} numbers\nallowed: model.start=[9.0,9.0]"
        )
    if config.trainer.select != "last":
        raise RequestError(
            f"trainer.select: found {config.trainer.select}, which is about predictions, and "
            "model=point predicts nothing\nset it: trainer.select=last"
        )
    if config.graph.name != "none" or config.graph.receives:
        raise RequestError("graph: model=point has no heads that could read an estimate\nset it: graph=none")
    loss = config.loss
    if isinstance(loss, MgdaLossConfig) and loss.normalize in ("loss", "loss+"):
        raise RequestError(
            f"loss.normalize: {loss.normalize} has no meaning for a loss below 0, and {objectives[0]} "
            "is an objective, which may be\nallowed: none, l2"
        )
    if not loss.needs_positive:
        return
    for name in objectives:
        if isinstance(loss, FamoLossConfig) and loss.bound(name) < 0:
            continue
        famo = "loss.lower_bound=VALUE below every loss, or " * isinstance(loss, FamoLossConfig)
        raise RequestError(
            f"loss={loss.name}: has no meaning for a loss below 0, and {name} is an objective, "
            f"which may be\nset {famo}loss=sum"
        )


def _require_shared(config: Config) -> None:
    """Raises RequestError for what reads gradients in shared parameters where the tasks share none, or shares the
    trunk's features where each task has its own."""
    loss, sharing = config.loss, config.sharing
    foreign = config.model.name not in ("mlp", "point", "boosting")
    if foreign and sharing.name in SHARINGS and sharing.name != "hard":
        raise RequestError(
            f"sharing: {sharing.name}, which makes trunks of its own of model=mlp, and model is "
            f"{config.model.name}\nset it: sharing=hard"
        )
    if config.point and sharing.name != "hard":
        raise RequestError(f"sharing: {sharing.name}, and model=point has no layers\nset it: sharing=hard")
    if sharing.needs_layers and not config.net.hidden:
        raise RequestError(
            f"sharing={sharing.name}: is about the trunk's layers, and model.hidden is empty\n"
            "set model.hidden=[64], or sharing=hard"
        )
    if isinstance(loss, GradientLossConfig):
        if sharing.own_trunks:
            raise RequestError(
                f"loss={loss.name}: reads the tasks' gradients in what they share, and with sharing="
                f"{sharing.name} every task has a trunk of its own\n"
                "set sharing=hard, or loss=sum"
            )
        if loss.at == "representation" and sharing.name != "hard":
            raise RequestError(
                "loss.at: representation are the features that all heads read, and with sharing="
                f"{sharing.name} each task has its own\nallowed: parameters"
            )
    if config.trainer.log_gradients and sharing.own_trunks:
        raise RequestError(
            f"trainer.log_gradients: compares gradients in what the tasks share, and with sharing="
            f"{sharing.name} that is nothing\n"
            "set sharing=hard, or '~trainer.log_gradients'"
        )


def _penalty_notes(config: Config) -> list[str]:
    """Lines on a penalty that acts on the heads of a net without a trunk's layers, where it is not what it seems."""
    sharing, tasks, found = config.sharing, config.active, []
    if not isinstance(sharing, TiedConfig) or config.net.hidden:
        return []
    types = [task.type for task in tasks.values()]
    lone = [name for name, task in tasks.items() if types.count(task.type) == 1]
    if len(tasks) > 1 and lone and None not in types and sharing.name != "l1":
        found.append(
            f"sharing={sharing.name}: model.hidden is empty, so that heads of one type are tied to each "
            f"other, and {listing(lone)} to none"
        )
    if isinstance(config.lr, PerHeadLrConfig):
        found.append(
            f"sharing={sharing.name}: model.hidden is empty, and the penalty on the heads takes its steps at "
            "lr.trunk, not at theirs"
        )
    return found


def _require_weights(loss: GradientLossConfig, graph: Graph) -> None:
    """Raises RequestError for a task whose gradient ends in its head, which would get no weight and not learn."""
    for task, edge in graph.trunk.items():
        held = graph.constants.get(task, ())
        open_edges = [e for e in graph.into(task) if e.gradient.scale != 0 and e.source not in held]
        others = loss.at == "parameters" and any(f"heads.{e.source}" not in held for e in open_edges)
        reads = edge.at != NOTHING and edge.gradient.scale != 0 and f"layer{edge.at}" not in held
        # through estimates alone it may reach the trunk as well, but what is sure is the head of their source
        if not (reads and "trunk" not in held) and not others:
            raise RequestError(
                f"loss.heads: weighted, and loss={loss.name} gives no weight to {task}, whose gradient "
                "does not reach the trunk: its head would not learn\n"
                "set it: loss.heads=own"
            )


def _only(value: Any, tasks: Mapping[str, TaskConfig]) -> list[str] | None:
    if value is None:
        return None
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not names:
        raise RequestError(f"only: found {value!r}\nallowed: a task or a list of tasks, of {listing(tasks)}")
    for name in names:
        require_task(name, tasks, "only")
    return [str(n) for n in names]


def _after(pretrain: list[str], only: list[str] | None, tasks: Mapping[str, TaskConfig]) -> list[str]:
    """The tasks of a run whose trunk is trained on others first: `only`, or all others."""
    for name in pretrain:
        require_task(name, tasks, "model.pretrain")
    left = only or [name for name in tasks if name not in pretrain]
    if not pretrain or not left:
        found = "an empty list" if not pretrain else "every task, so that none is left for the run itself"
        raise RequestError(f"model.pretrain: found {found}\nallowed: some of {listing(tasks)}, or null")
    return left


def _require_trunk(config: Config) -> None:
    """Raises RequestError for a trunk that is to come from elsewhere, or to stay as it is, and cannot; a first stage is
    checked like any run."""
    net, first = config.net, first_stage(config)
    asked = [key for key in ("init_from", "pretrain", "freeze") if getattr(net, key)]
    if asked and not net.hidden:
        raise RequestError(
            f"model.{asked[0]}: the trunk has no parameters, as model.hidden is empty\n"
            f"set model.hidden=[64], or '~model.{asked[0]}'"
        )
    if net.freeze and first is None and config.trainer.gradient_noise:
        raise RequestError(
            "trainer.gradient_noise: is added to the trunk's gradient, and model.freeze keeps the trunk "
            "as it is\nset trainer.gradient_noise=0, or model.freeze=false"
        )
    if first is None:
        return
    if net.init_from is not None:
        raise RequestError(
            "model.pretrain: model.init_from names a trunk that is trained already\nallowed: one of the two"
        )
    if config.sharing.name not in TASK_FREE:
        raise RequestError(
            f"model.pretrain: sharing={config.sharing.name} has parts of its own for each task\n"
            f"allowed with it: sharing={listing(TASK_FREE)}"
        )
    try:
        _cross_check(first, [])
    except RequestError as error:
        raise RequestError(f"{error} (in the first stage, model.pretrain={listing(first.active)})") from None


def _require_boosted(tasks: Mapping[str, TaskConfig]) -> None:
    """Raises RequestError for a task whose type or loss model=boosting does not have."""
    for name, task in tasks.items():
        kinds = [type_of(kind) for kind in ([task.type] if task.type is not None else INFERRED)]
        having = [kind for kind in kinds if not kind.of_a_point and (task.loss or kind.default_loss) in kind.losses]
        for kind in having:
            if (task.loss or kind.default_loss) in kind.boosted_losses:
                continue
            if not kind.boosted_losses:
                raise RequestError(
                    f"tasks.{name}.type: {task.type}, whose losses model=boosting does not have\n"
                    f"train it by a network (model=mlp), or leave it out: '~tasks.{name}'"
                )
            known = [f"{loss} ({theirs})" for loss, theirs in kind.boosted_losses.items()]
            raise RequestError(
                f"tasks.{name}.loss: {task.loss or kind.default_loss}, which model=boosting does not have\n"
                f"allowed with it: {listing(known)}"
            )


def _cross_check(config: Config, notes: list[str]) -> Config:
    """What concerns more than one group: task names in mappings, selection, weights, rates, the graph."""
    active = config.active
    if config.boosting:
        _require_boosted(active)

    def drop_absent(mapping: Mapping[str, Any], key: str, also: tuple[str, ...] = ()) -> dict[str, Any]:
        kept = {}
        for name, value in mapping.items():
            if name not in also:
                require_task(name, config.tasks, f"{key}.{name}")
            if name in also or name in active:
                kept[name] = value
        absent = [n for n in mapping if n not in kept and n not in (config.net.pretrain or ())]
        if absent:
            notes.append(f"{key}: {listing(absent)} left out, as `only` leaves out the task")
        return kept

    notes += [
        f"tasks.{name}.head: {task.head} is left out by `only`, so {name} has a head of its own"
        for name, task in active.items()
        if task.head is not None and task.head not in active
    ]
    loss, lr = config.loss, config.lr
    if isinstance(loss, FamoLossConfig):
        own = {"": loss.lower_bound}
        if isinstance(loss.lower_bound, Mapping):
            own = {f".{n}": v for n, v in drop_absent(loss.lower_bound, "loss.lower_bound").items()}
        for name, value in own.items():
            typed(value, float, f"loss.lower_bound{name}", {})
    if loss.warm_epochs >= config.trainer.epochs:
        notes.append(
            f"loss={loss.name}: warms up for {loss.warm_epochs} epochs, and trainer.epochs is "
            f"{config.trainer.epochs}, so that it never begins"
        )
    _point(config)
    weights = drop_absent(loss.weights, "loss.weights")
    checked = {n: typed(w, float, f"loss.weights.{n}", {"at_least": 0.0}) for n, w in weights.items()}
    if checked and all(checked.get(t, 1.0) == 0 for t in active):
        raise RequestError("loss.weights: every task has weight 0\nallowed: at least one weight above 0")
    _require_shared(config)
    notes += _penalty_notes(config)
    for (key, value), why in loss.refuses.items():
        if getattr(loss, key) == value:
            default = next(f.default for f in dataclasses.fields(loss) if f.name == key)
            raise RequestError(
                f"loss.{key}: {value} has no meaning with loss={loss.name}, as {why}\nallowed: {default}"
            )
    if isinstance(lr, PerHeadLrConfig):
        heads = drop_absent(lr.heads, "lr.heads", also=("default",))
        notes += [
            f"lr.heads.{name}: without effect, as {name} has {active[name].head}'s head and its rate"
            for name in heads
            if name in active and active[name].head in active
        ]
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
        if active[select].reads_inputs:
            raise RequestError(
                f"trainer.select: {select} reconstructs the inputs\nallowed: {', '.join(SELECT_BY)}, another task"
            )
    elif not any(t.role == "main" for t in active.values()):
        raise RequestError("tasks: none has role main, so there is nothing to select a checkpoint by")
    if not config.boosting and not config.net.hidden:
        for name in ("gradient_noise", "log_gradients"):
            if getattr(config.trainer, name):
                raise RequestError(
                    f"trainer.{name}: the trunk has no parameters, as model.hidden is empty\n"
                    f"set model.hidden=[64], or '~trainer.{name}'"
                )
        if isinstance(loss, GradientLossConfig):
            raise RequestError(
                f"loss={loss.name}: reads the tasks' gradients in the trunk, and the trunk has no "
                "parameters, as model.hidden is empty\nset model.hidden=[64], or loss=sum"
            )
        if loss.heads == "own":
            raise RequestError(
                "loss.heads: own tells heads from the trunk, and the trunk has no parameters, as "
                "model.hidden is empty\nset model.hidden=[64], or loss.heads=weighted"
            )
    if config.trainer.log_activations and not config.boosting:
        if config.net.activation != "relu":
            raise RequestError(
                "trainer.log_activations: counts units of relu that are 0, and model.activation is "
                f"{config.net.activation}\n"
                "set model.activation=relu, or '~trainer.log_activations'"
            )
        if not config.net.hidden and not config.net.head_hidden:
            raise RequestError(
                "trainer.log_activations: the network has no hidden layer\n"
                "set model.hidden=[64], or '~trainer.log_activations'"
            )
    optimizer = config.optimizer
    if isinstance(optimizer, SgdConfig) and optimizer.nesterov and optimizer.momentum == 0:
        raise RequestError("optimizer.nesterov: needs a momentum\nset it: optimizer.momentum=0.9")
    if isinstance(optimizer, AdamConfig) and len(optimizer.betas) != 2:
        raise RequestError(f"optimizer.betas: found {optimizer.betas}\nallowed: two numbers from 0 to below 1")
    _require_trunk(config)
    graph = parse_graph(config.graph, config.tasks, active, len(config.net.hidden))
    if isinstance(loss, GradientLossConfig) and loss.heads == "weighted" and loss.weighs_by_gradient:
        _require_weights(loss, graph)
    if not config.net.head_hidden and any(e.what == "embedding" for e in graph.edges):
        raise RequestError(
            "graph: an edge passes an embedding, and heads have no hidden layer\n"
            "set model.head_hidden=[64], or what=logits"
        )
    for edge in graph.edges:
        if active[edge.source].discard and not active[edge.task].discard:
            raise RequestError(
                f"tasks.{edge.source}.discard: {edge.task} receives its {edge.what}, also when the run "
                f"predicts\nset tasks.{edge.source}.discard=false, or remove the edge"
            )
    for name, task in active.items():
        if task.head in active and active[task.head].discard and not task.discard:
            raise RequestError(
                f"tasks.{task.head}.discard: {name} has its head, also when the run predicts\n"
                f"set tasks.{task.head}.discard=false, or tasks.{name}.head=null"
            )
    if config.sharing.mixes:
        for name, constants in graph.constants.items():
            inner = [c for c in constants if c.startswith("layer") and c != f"layer{graph.depth}"]
            if inner:
                raise RequestError(
                    f"graph.constants.{name}: {inner[0]}, and with sharing={config.sharing.name} what a "
                    f"task reads there is no step on the way to layer{graph.depth}\n"
                    f"allowed: layer{graph.depth}, estimates and parameters"
                )
    notes += graph.notes
    return dataclasses.replace(config, notes=tuple(notes))


# ---------------------------------------------------------------- the folder of YAML files
