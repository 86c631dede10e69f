"""The typed schema of every configuration group, and the check of a composed configuration.

Configuration stops here: `check` turns a plain mapping into a tree of frozen dataclasses; behind it
no module knows YAML or Hydra. Nothing in this module imports torch or pandas, so that a wrong
request is answered fast.

A group's options are told apart by their `name` (`loss.name`, `lr.name`, …). A field's metadata hold
its bounds: `above`, `below`, `at_least`, `at_most`.
"""

import dataclasses
import hashlib
import json
import math
import pathlib
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from mtlrun.errors import RequestError, listing, nearest

TASK_NAME = re.compile(r"[A-Za-z_]\w*\Z")
RESERVED = ("trunk", "default")

C = TypeVar("C")


def bounded(default: Any, **bounds: float) -> Any:
    """A dataclass field with bounds: `above`, `below` (strict), `at_least`, `at_most`."""
    return field(default=default, metadata=bounds)


# ---------------------------------------------------------------- data and tasks


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """How rows are divided. Fractions apply to rows, or to groups where `by` names a column.

    `column` names a column that holds the words train, val and test; `files` maps `val` and `test`
    to further tables (`data.path` is then train). Where such a given split has no val part, the
    fraction `val` of the part `val_from` becomes val.
    """

    train: float = bounded(0.7, above=0.0, at_most=1.0)
    val: float = bounded(0.15, above=0.0, below=1.0)
    test: float = bounded(0.15, above=0.0, below=1.0)
    by: str | None = None
    column: str | None = None
    files: dict[str, str] | None = None
    val_from: Literal["train", "test"] = "train"
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """A table in a file (`path`), its input columns, and its split."""

    name: Literal["table"] = "table"
    path: str | None = None
    inputs: list[str] | None = None
    weight: str | None = None
    split: SplitConfig = field(default_factory=SplitConfig)
    train_rows: int | None = bounded(None, at_least=1)
    standardize_targets: bool = True
    max_categories: int = bounded(100, at_least=1)


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """One task: a target column, and how it is learnt.

    `type` is inferred from the column where it is None, `target` is the task's name, `loss` the
    type's first (regression: mse, l1, huber; binary and categorical: cross_entropy), `primary` the
    type's primary metric. `class_weights` is None, "balanced" or a mapping class -> weight.
    """

    type: Literal["regression", "binary", "categorical"] | None = None
    target: str | None = None
    loss: Literal["mse", "l1", "huber", "cross_entropy"] | None = None
    where: str | None = None
    role: Literal["main", "auxiliary", "adversarial"] = "main"
    primary: str | None = None
    positive: Any = None
    class_weights: Any = None
    huber_delta: float = bounded(1.0, above=0.0)
    shuffle: bool = False


# ---------------------------------------------------------------- model, sharing, graph


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The trunk, a multi-layer perceptron, and the size of the heads' hidden layers."""

    name: Literal["mlp"] = "mlp"
    hidden: list[int] = field(metadata={"at_least": 1})
    head_hidden: list[int] = field(metadata={"at_least": 1})
    activation: Literal["relu", "tanh", "sigmoid", "gelu", "silu"] = "relu"
    dropout: float = bounded(0.0, at_least=0.0, below=1.0)


@dataclass(frozen=True, kw_only=True)
class SharingConfig:
    name: Literal["hard"] = "hard"


@dataclass(frozen=True, kw_only=True)
class ReverseConfig:
    """λ of `reverse`: `strength`, constant or ramped as 2/(1+exp(−10p))−1 over the run (p from 0 to 1)."""

    strength: float = bounded(1.0, at_least=0.0)
    schedule: Literal["constant", "ramp"] = "constant"


@dataclass(frozen=True, kw_only=True)
class GraphConfig:
    """Edges beyond the default one (every task reads the trunk's last layer); see graph.py."""

    name: Literal["none", "chain"] = "none"
    gradient: Any = "stop"
    what: Literal["prediction", "logits", "embedding", "label"] = "prediction"
    receives: dict[str, Any] = field(default_factory=dict)
    reverse: ReverseConfig = field(default_factory=ReverseConfig)


# ---------------------------------------------------------------- losses, rates, training


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    name: Literal["sum"] = "sum"


@dataclass(frozen=True, kw_only=True)
class FixedLossConfig:
    name: Literal["fixed"] = "fixed"
    weights: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class UncertaintyLossConfig:
    """`init` is first_batch (from the losses of the first batch with labels) or s itself, 0 for the plain start."""

    name: Literal["uncertainty"] = "uncertainty"
    lr: float = bounded(0.025, at_least=0.0)
    init: float | Literal["first_batch"] = "first_batch"


@dataclass(frozen=True, kw_only=True)
class LrConfig:
    """One rate for all. `warmup` in steps; `decay_every` in epochs; `final` as a share of the rate."""

    name: Literal["single"] = "single"
    base: float = bounded(1e-3, at_least=0.0)
    schedule: Literal["constant", "cosine", "step"] = "constant"
    warmup: int = bounded(0, at_least=0)
    final: float = bounded(0.0, at_least=0.0)
    decay: float = bounded(0.1, above=0.0, at_most=1.0)
    decay_every: int = bounded(10, at_least=1)


@dataclass(frozen=True, kw_only=True)
class PerHeadLrConfig(LrConfig):
    """Rates of the trunk and of each head: a number, or a multiple of `base` such as "0.1x"."""

    name: Literal["per_head"] = "per_head"  # type: ignore[assignment]
    trunk: Any = "1x"
    heads: dict[str, Any] = field(default_factory=lambda: {"default": "3x"})


@dataclass(frozen=True, kw_only=True)
class AdamConfig:
    name: Literal["adam", "adamw"] = "adam"
    betas: list[float] = field(default_factory=lambda: [0.9, 0.999], metadata={"at_least": 0.0, "below": 1.0})
    eps: float = bounded(1e-8, above=0.0)
    weight_decay: float = bounded(0.0, at_least=0.0)
    amsgrad: bool = False


@dataclass(frozen=True, kw_only=True)
class SgdConfig:
    name: Literal["sgd"] = "sgd"
    momentum: float = bounded(0.0, at_least=0.0, below=1.0)
    nesterov: bool = False
    weight_decay: float = bounded(0.0, at_least=0.0)


@dataclass(frozen=True, kw_only=True)
class RmspropConfig:
    name: Literal["rmsprop"] = "rmsprop"
    alpha: float = bounded(0.99, at_least=0.0, below=1.0)
    eps: float = bounded(1e-8, above=0.0)
    momentum: float = bounded(0.0, at_least=0.0, below=1.0)
    centered: bool = False
    weight_decay: float = bounded(0.0, at_least=0.0)


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """Length, batches, device, selection. `patience`: evaluations without a better one; null: never stop early."""

    epochs: int = bounded(20, at_least=1)
    max_steps: int | None = bounded(None, at_least=1)
    batch_size: int = bounded(256, at_least=1)
    select: str = "skill"
    patience: int | None = bounded(10, at_least=1)
    clip: float | None = bounded(None, above=0.0)
    device: str = "auto"
    threads: int | None = bounded(None, at_least=1)
    deterministic: bool = False
    tensorboard: bool = True
    debug: bool = False


@dataclass(frozen=True, kw_only=True)
class Config:
    """A whole run, checked. `notes` are lines to print once (dropped edges, equal rates, …)."""

    seed: int
    name: str
    only: list[str] | None
    tasks: dict[str, TaskConfig]
    data: DataConfig
    model: ModelConfig
    sharing: SharingConfig
    graph: GraphConfig
    loss: LossConfig | FixedLossConfig | UncertaintyLossConfig
    lr: LrConfig
    optimizer: AdamConfig | SgdConfig | RmspropConfig
    trainer: TrainerConfig
    notes: tuple[str, ...] = ()

    @property
    def active(self) -> dict[str, TaskConfig]:
        """The tasks that are trained: all, or those that `only` names, in the order of `tasks`."""
        return {k: v for k, v in self.tasks.items() if self.only is None or k in self.only}


# The options of each group, by the `name` in their YAML.
GROUPS: dict[str, dict[str, type]] = {
    "data": {"table": DataConfig},
    "model": {"mlp": ModelConfig},
    "sharing": {"hard": SharingConfig},
    "graph": {"none": GraphConfig, "chain": GraphConfig},
    "loss": {"sum": LossConfig, "fixed": FixedLossConfig, "uncertainty": UncertaintyLossConfig},
    "lr": {"single": LrConfig, "per_head": PerHeadLrConfig},
    "optimizer": {"adam": AdamConfig, "adamw": AdamConfig, "sgd": SgdConfig, "rmsprop": RmspropConfig},
    "trainer": {"trainer": TrainerConfig},
}
DEFAULT_OPTION = {"data": "table", "trainer": "trainer"}
TOP_LEVEL = ("seed", "name", "tasks", "only", "arms", "trials")


# ---------------------------------------------------------------- the check


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
            raise RequestError(f"{key}: not built yet; sweep with commas instead: mtlrun -m loss=sum,uncertainty")
    groups = {group: _group(group, plain.get(group) or {}) for group in GROUPS}
    tasks = _tasks(plain.get("tasks"))
    seed = _typed(plain.get("seed", 0), int, "seed", {"at_least": 0, "below": 2**63})
    name = _typed(plain.get("name", "runs"), str, "name", {})
    only = _only(plain.get("only"), tasks)
    if groups["data"].split.seed is None:
        split = dataclasses.replace(groups["data"].split, seed=seed)
        groups["data"] = dataclasses.replace(groups["data"], split=split)
    config = Config(seed=seed, name=name, only=only, tasks=tasks, **groups)
    return _cross_check(config)


def plain(config: Config) -> dict[str, Any]:
    """The configuration as nested plain mappings; `check(plain(c))` gives `c` again."""
    tree = dataclasses.asdict(config)
    del tree["notes"]
    return tree


def config_hash(config: Config) -> str:
    """SHA-256 (16 hexadecimal digits) of the configuration without its name."""
    tree = plain(config)
    del tree["name"]
    return hashlib.sha256(json.dumps(tree, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _group(group: str, tree: Any) -> Any:
    if not isinstance(tree, Mapping):
        raise RequestError(f"{group}: found {tree!r}, expected settings such as {group}.KEY=VALUE\n"
                           f"allowed options: {group}={listing(GROUPS[group])}")  # fmt: skip
    options = GROUPS[group]
    name = tree.get("name", DEFAULT_OPTION.get(group))
    if group == "trainer":
        return _build(TrainerConfig, tree, group, group)
    if name not in options:
        raise RequestError(f"{group}.name: found {name!r}{nearest(name, options)}\nallowed: {listing(options)}")
    label = group if group in DEFAULT_OPTION else f"{group}={name}"
    return _build(options[name], tree, group, label)


def _build(cls: type[C], tree: Mapping[str, Any], key: str, label: str) -> C:
    """An instance of the dataclass `cls` from a mapping; `key` is its path, `label` how to speak of it."""
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in tree:
        if name not in fields:
            raise RequestError(f"{key}.{name}: {label} has no such key{nearest(name, fields)}\n"
                               f"allowed: {listing(f for f in fields if f != 'name')}")  # fmt: skip
    values = {n: _typed(v, hints[n], f"{key}.{n}", fields[n].metadata) for n, v in tree.items()}
    for f in fields.values():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and f.name not in values:
            raise RequestError(f"{key}.{f.name}: missing\nset it: {key}.{f.name}=VALUE")
    return cls(**values)


_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _describe(hint: Any) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " | ".join(map(str, args))
    if origin in (typing.Union, types.UnionType):
        return " or ".join("null" if a is type(None) else _describe(a) for a in args)
    if origin is list:
        return f"a list of {_describe(args[0]).removeprefix('a ')}s: [..., ...]"
    if origin is dict or dataclasses.is_dataclass(hint):
        return "a mapping: {KEY: VALUE}"
    return _WORDS.get(hint, str(hint))


def _typed(value: Any, hint: Any, key: str, bounds: Mapping[str, Any]) -> Any:
    """`value` as the type `hint` within `bounds`, or a RequestError that names `key`."""
    result = convert(value, hint, key, bounds)
    if result is NO:
        words = f"found {value!r}" if not isinstance(value, str) else f"found '{value}'"
        literals = [a for a in _flat(hint) if isinstance(a, str)]
        raise RequestError(f"{key}: {words}{nearest(str(value), literals)}\nallowed: {_describe(hint)}")
    for number in result if isinstance(result, list) else [result]:
        if isinstance(number, (int, float)) and not isinstance(number, bool):
            _bound(number, key, bounds)
    return result


NO = object()


def _flat(hint: Any) -> list[Any]:
    """All literal values named somewhere in a type hint."""
    if typing.get_origin(hint) is Literal:
        return list(typing.get_args(hint))
    return [x for a in typing.get_args(hint) for x in _flat(a)]


def convert(value: Any, hint: Any, key: str, bounds: Mapping[str, Any]) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is Literal:
        return value if value in args and isinstance(value, str) else NO
    if origin in (typing.Union, types.UnionType):
        converted = (convert(value, a, key, bounds) for a in args)
        return next((c for c in converted if c is not NO), NO)
    if hint is type(None):
        return None if value is None else NO
    if origin is list:
        if not isinstance(value, (list, tuple)):
            return NO
        return [_typed(v, args[0], f"{key}[{i}]", bounds) for i, v in enumerate(value)]
    if origin is dict:
        if not isinstance(value, Mapping):
            return NO
        return {str(k): _typed(v, args[1], f"{key}.{k}", {}) for k, v in value.items()}
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            return NO
        return _build(typing.cast(type, hint), value, key, key)
    if hint is bool:
        return value if isinstance(value, bool) else NO
    if hint is float:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            return NO
        try:  # YAML 1.1 reads 1e-3 as text
            return float(value) if not isinstance(value, str) or value.strip()[:1] in "+-.0123456789" else NO
        except ValueError:
            return NO
    if hint is int:
        return value if isinstance(value, int) and not isinstance(value, bool) else NO
    if hint is str:
        return value if isinstance(value, str) else str(value) if isinstance(value, int) else NO
    raise TypeError(f"no check for {hint!r}")


def _bound(number: float, key: str, bounds: Mapping[str, Any]) -> None:
    tests = {
        "above": ("above", lambda b: number > b),
        "below": ("below", lambda b: number < b),
        "at_least": ("at least", lambda b: number >= b),
        "at_most": ("at most", lambda b: number <= b),
    }
    if not math.isfinite(number) or any(not tests[k][1](b) for k, b in bounds.items()):
        limits = " and ".join(f"{tests[k][0]} {b}" for k, b in bounds.items())
        raise RequestError(f"{key}: found {number}\nallowed: a number {limits or 'that is finite'}")


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
        tasks[name] = _typed(settings if settings is not None else {}, TaskConfig, f"tasks.{name}", {})
        if tasks[name].shuffle:
            raise RequestError(f"tasks.{name}.shuffle: not built yet\nallowed: false")
    if not tasks:
        raise RequestError("tasks: none are given\nname some: 'tasks={price: {type: regression}}', or "
                           "write a YAML with `mtlrun init TABLE --targets a,b`")  # fmt: skip
    return tasks


def _only(value: Any, tasks: Mapping[str, TaskConfig]) -> list[str] | None:
    if value is None:
        return None
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not names:
        raise RequestError(f"only: found {value!r}\nallowed: a task or a list of tasks, of {listing(tasks)}")
    for name in names:
        require_task(name, tasks, "only")
    return [str(n) for n in names]


def require_task(name: Any, tasks: Mapping[str, Any], key: str) -> None:
    """Raises RequestError that names `key` unless `name` is one of `tasks`."""
    if name not in tasks:
        raise RequestError(f"{key}: no task is named {name!r}{nearest(name, tasks)}\ntasks: {listing(tasks)}")


def rate(value: Any, base: float, key: str) -> float:
    """A learning rate: a number, or a multiple of `base` written as "0.1x"."""
    if isinstance(value, str) and value.strip().endswith("x"):
        factor = convert(value.strip()[:-1], float, key, {})
        number = NO if factor is NO else factor * base
    else:
        number = convert(value, float, key, {})
    if number is NO:
        raise RequestError(f"{key}: found {value!r}\nallowed: a number, or a multiple of lr.base such as 0.1x")
    _bound(number, key, {"at_least": 0.0})
    return float(number)


def _cross_check(config: Config) -> Config:
    """What concerns more than one group: task names in mappings, selection, weights, rates, the graph."""
    from mtlrun.graph import parse_graph  # graph.py needs GraphConfig from here

    notes: list[str] = []
    active = config.active

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
    if isinstance(loss, FixedLossConfig):
        weights = drop_absent(loss.weights, "loss.weights")
        checked = {n: _typed(w, float, f"loss.weights.{n}", {"at_least": 0.0}) for n, w in weights.items()}
        if checked and all(checked.get(t, 1.0) == 0 for t in active):
            raise RequestError("loss.weights: every task has weight 0\nallowed: at least one weight above 0")
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
        raise RequestError(f"data.split: train + val + test is {total:g}\nallowed: at most 1")
    for part in split.files or {}:
        if part not in ("val", "test"):
            raise RequestError(
                f"data.split.files.{part}: no such part{nearest(part, ('val', 'test'))}\nallowed: val, test"
            )
    if split.files is not None and "test" not in split.files:
        raise RequestError("data.split.files.test: missing\nset it: data.split.files.test=FILE")
    select = config.trainer.select
    if select not in ("skill", "worst"):
        require_task(select, config.tasks, "trainer.select (skill, worst or a task)")
        if select not in active:
            raise RequestError(f"trainer.select: {select} is not trained, as only={listing(config.only or [])}")
    elif not any(t.role == "main" for t in active.values()):
        raise RequestError("tasks: none has role main, so there is nothing to select a checkpoint by")
    optimizer = config.optimizer
    if isinstance(optimizer, SgdConfig) and optimizer.nesterov and optimizer.momentum == 0:
        raise RequestError("optimizer.nesterov: needs a momentum\nset it: optimizer.momentum=0.9")
    if isinstance(optimizer, AdamConfig) and len(optimizer.betas) != 2:
        raise RequestError(f"optimizer.betas: found {optimizer.betas}\nallowed: two numbers from 0 to below 1")
    graph = parse_graph(config.graph, config.tasks, active, len(config.model.hidden))
    if not config.model.head_hidden and any(e.what == "embedding" for e in graph.edges):
        raise RequestError("graph: an edge passes an embedding, and heads have no hidden layer\n"
                           "set model.head_hidden=[64], or what=logits")  # fmt: skip
    notes += graph.notes
    return dataclasses.replace(config, notes=tuple(notes))


# ---------------------------------------------------------------- the folder of YAML files


def conf_dir() -> pathlib.Path:
    """The folder of the configuration groups, absolute: inside the package (a wheel) or beside it (a checkout)."""
    package = pathlib.Path(__file__).resolve().parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise FileNotFoundError(f"no conf/config.yaml in or beside {package}: the installation is incomplete")
