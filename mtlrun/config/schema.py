"""The typed schema of every configuration group.

`check.py` turns a plain mapping into a tree of these frozen dataclasses. Nothing here imports torch or
pandas, so that a wrong request is answered fast.

A group's options are told apart by their `name` (`loss.name`, `lr.name`, …). A field's metadata hold
its bounds, `above`, `below`, `at_least`, `at_most`, and say whether it is `per_run`: runs that differ in such
fields only may train in one stack (see sweeps/division.py).
"""

import dataclasses
import hashlib
import pathlib
from dataclasses import dataclass, field
from typing import Any, Literal

from mtlrun.config.fields import PER_RUN, bounded, one_of, per_run
from mtlrun.config.loss_settings import LOSS_SETTINGS, LossConfig
from mtlrun.config.sharing_settings import SHARINGS, SharingConfig
from mtlrun.tasks.types import PRIMARY, losses, names

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
    seed: int | None = per_run(None, at_least=0)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """A table in a file (`path`), its input columns, and its split. `future`: columns, or patterns of them, that are
    not known when predicting, and therefore never inputs."""

    name: Literal["table"] = "table"
    path: str | None = None
    inputs: list[str] | None = None
    future: list[str] | None = None
    weight: str | None = None
    split: SplitConfig = field(default_factory=SplitConfig)
    train_rows: int | None = bounded(None, at_least=1)
    standardize_targets: bool = True
    max_categories: int = bounded(100, at_least=1)


@dataclass(frozen=True, kw_only=True)
class SmoothConfig:
    """Labels that are means over the `window` rows nearest in the order of the column `over`; see data/labels.py."""

    over: str
    window: int = bounded(5, at_least=1)


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """One task: a target column, and how it is learnt.

    `type` is inferred from the column where it is None, `target` is the task's name, `loss` the
    type's first (regression: mse, l1, huber; binary and categorical: cross_entropy), `primary` the
    type's primary metric. `class_weights` is None, "balanced" or a mapping class -> weight. `unit` is that of a
    regression's target, for tables. A reconstruction has no target column, as the inputs are its target, and is
    always auxiliary. An objective, of model=point, has none either: its loss is `scale` times the function of toy.py
    that `target` names.

    In place of a column, `expression` gives the labels as a value over columns. `bins` makes classes of numbers: so
    many of nearly equal size, or between these inner edges. `columns` are the inputs, or patterns of them, that a
    reconstruction is about; the network does not see them. None: all inputs.

    Labels may be smoothed (`smooth`), within each part of the split. Of its labels in training rows, those in rows in
    which the task `train_rows_of` has one count, of these `train_labels` are kept, and `shuffle` permutes them; see
    data/labels.py.

    `head` names a task of the same type whose head computes this one's output too: it has none of its own. The head of
    a task to `discard`, which is no main one, exists only while training: best.pt is without it.
    """

    type: str | None = one_of(names)
    target: str | None = None
    expression: str | None = None
    bins: int | list[float] | None = None
    columns: list[str] | None = None
    loss: str | None = one_of(losses)
    where: str | None = None
    role: Literal["main", "auxiliary", "adversarial"] = "main"
    primary: str | None = None
    positive: Any = None
    class_weights: Any = None
    huber_delta: float = bounded(1.0, above=0.0)
    scale: float = bounded(1.0, above=0.0)
    unit: str | None = per_run(None)
    shuffle: bool = per_run(False)
    train_labels: int | None = per_run(None, at_least=1)
    train_rows_of: str | None = per_run(None)
    head: str | None = None
    discard: bool = per_run(False)
    smooth: SmoothConfig | None = per_run(None)

    @property
    def has_labels(self) -> bool:
        """Whether its labels come from the table: a column of it, or the value of an expression."""
        return self.type not in ("reconstruction", "objective")

    @property
    def has_column(self) -> bool:
        """Whether its labels are a column of the table."""
        return self.has_labels and self.expression is None

    @property
    def primary_metric(self) -> str | None:
        """The primary metric as far as the settings say; None where that follows from the column."""
        return self.primary or PRIMARY.get(self.type or "")

    @property
    def own_labels(self) -> bool:
        """Whether the labels are a run's own, and not as the table has them."""
        return (
            self.shuffle or self.train_labels is not None or self.train_rows_of is not None or self.smooth is not None
        )


# ---------------------------------------------------------------- model, graph (sharing: config_sharing.py)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The trunk, a multi-layer perceptron, and the size of the heads' hidden layers. `restart`: other initial
    parameters of the same seed, with its split, order of rows and dropout as they are.

    `init_from`: the folder of a run whose trunk this one begins with (transfer.py); `freeze`: the trunk stays as it
    begins; `pretrain`: tasks that the trunk is trained on first (stages.py)."""

    name: Literal["mlp"] = "mlp"
    hidden: list[int] = field(metadata={"at_least": 1})
    head_hidden: list[int] = field(metadata={"at_least": 1})
    activation: Literal["relu", "tanh", "sigmoid", "gelu", "silu"] = "relu"
    dropout: float = bounded(0.0, at_least=0.0, below=1.0)
    restart: int = per_run(0, at_least=0)
    init_from: str | None = per_run(None)
    freeze: bool = per_run(False)
    pretrain: list[str] | None = None


@dataclass(frozen=True, kw_only=True)
class BoostingConfig:
    """Gradient boosting per task instead of a network: scikit-learn's HistGradientBoosting, whose names these are.

    `iterations` is its max_iter, of which val chooses how many are used; `l2` its l2_regularization.
    """

    name: Literal["boosting"] = "boosting"
    iterations: int = bounded(500, at_least=1)
    learning_rate: float = bounded(0.1, above=0.0)
    max_leaf_nodes: int = bounded(31, at_least=2)
    min_samples_leaf: int = bounded(20, at_least=1)
    l2: float = bounded(0.0, at_least=0.0)


@dataclass(frozen=True, kw_only=True)
class PointConfig:
    """A trunk that is nothing but a point: its coordinates are the parameters, and it begins at `start`. There are no
    heads, and every task is an objective."""

    name: Literal["point"] = "point"
    start: list[float] = field(metadata=PER_RUN)


# What networks have and model=boosting has not: groups, with their default option; of the trainer's settings all but:
NETWORK_GROUPS = {"sharing": "hard", "graph": "none", "loss": "sum", "lr": "single", "optimizer": "adam"}
TRAINER_OF_BOOSTING = ("patience", "device", "threads", "tensorboard")


@dataclass(frozen=True, kw_only=True)
class ReverseConfig:
    """λ of `reverse`: `strength`, constant or ramped as 2/(1+exp(−10p))−1 over the run (p from 0 to 1)."""

    strength: float = bounded(1.0, at_least=0.0)
    schedule: Literal["constant", "ramp"] = "constant"


@dataclass(frozen=True, kw_only=True)
class GraphConfig:
    """Edges beyond the default one (every task reads the trunk's last layer), and by task what its loss holds constant;
    see graph.py.

    Runs share a stack if these settings come to the same `graph.Graph`, whose gradients are per run.
    """

    name: Literal["none", "chain"] = "none"
    gradient: Any = "stop"
    what: Literal["prediction", "logits", "embedding", "label"] = "prediction"
    receives: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    reverse: ReverseConfig = field(default_factory=ReverseConfig)


# ---------------------------------------------------------------- rates, training (losses: config_loss.py)


@dataclass(frozen=True, kw_only=True)
class LrConfig:
    """One rate for all. `warmup` in steps; `decay_every` in epochs; `final` as a share of the rate."""

    name: Literal["single"] = per_run("single")
    base: float = per_run(1e-3, at_least=0.0)
    schedule: Literal["constant", "cosine", "step"] = "constant"
    warmup: int = bounded(0, at_least=0)
    final: float = bounded(0.0, at_least=0.0)
    decay: float = bounded(0.1, above=0.0, at_most=1.0)
    decay_every: int = bounded(10, at_least=1)


@dataclass(frozen=True, kw_only=True)
class PerHeadLrConfig(LrConfig):
    """Rates of the trunk and of each head: a number, or a multiple of `base` such as "0.1x"."""

    name: Literal["per_head"] = per_run("per_head")  # type: ignore[assignment]
    trunk: Any = per_run("1x")
    heads: dict[str, Any] = per_run(factory=lambda: {"default": "3x"})


@dataclass(frozen=True, kw_only=True)
class AdamConfig:
    name: Literal["adam", "adamw"] = "adam"
    betas: list[float] = field(default_factory=lambda: [0.9, 0.999], metadata={"at_least": 0.0, "below": 1.0})
    eps: float = bounded(1e-8, above=0.0)
    weight_decay: float = per_run(0.0, at_least=0.0)
    amsgrad: bool = False


@dataclass(frozen=True, kw_only=True)
class SgdConfig:
    name: Literal["sgd"] = "sgd"
    momentum: float = bounded(0.0, at_least=0.0, below=1.0)
    nesterov: bool = False
    weight_decay: float = per_run(0.0, at_least=0.0)


@dataclass(frozen=True, kw_only=True)
class RmspropConfig:
    name: Literal["rmsprop"] = "rmsprop"
    alpha: float = bounded(0.99, at_least=0.0, below=1.0)
    eps: float = bounded(1e-8, above=0.0)
    momentum: float = bounded(0.0, at_least=0.0, below=1.0)
    centered: bool = False
    weight_decay: float = per_run(0.0, at_least=0.0)


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """Length, batches, device, selection. `patience`: evaluations without a better one; null: never stop early.

    `goal`: the figure goal_step is the number of steps before the tasks' losses first summed to this or less.
    `on_nan`: what becomes of a run with a loss or gradient that is not finite: it fails, naming what and when, or such
    steps are skipped and counted.
    `gradient_noise`: so many times the norm of the trunk's gradient is added to it as noise, in every step.
    """

    epochs: int = bounded(20, at_least=1)
    max_steps: int | None = bounded(None, at_least=1)
    evaluate_every: int | None = bounded(None, at_least=1)
    batch_size: int = bounded(256, at_least=1)
    select: str = "skill"
    patience: int | None = bounded(10, at_least=1)
    goal: float | None = None
    clip: float | None = per_run(None, above=0.0)
    on_nan: Literal["stop", "skip"] = "stop"
    gradient_noise: float = per_run(0.0, at_least=0.0)
    device: str = "auto"
    threads: int | None = bounded(None, at_least=1, at_most=1024)
    deterministic: bool = False
    tensorboard: bool = True
    log_gradients: bool = False
    log_activations: bool = False
    importance: bool = False
    debug: bool = False


@dataclass(frozen=True, kw_only=True)
class Config:
    """A whole run, checked. `notes` are lines to print once (dropped edges, equal rates, …)."""

    seed: int = field(metadata=PER_RUN)
    name: str = field(metadata=PER_RUN)
    only: list[str] | None
    tasks: dict[str, TaskConfig]
    data: DataConfig
    model: ModelConfig | BoostingConfig | PointConfig
    sharing: SharingConfig
    graph: GraphConfig
    loss: LossConfig
    lr: LrConfig
    optimizer: AdamConfig | SgdConfig | RmspropConfig
    trainer: TrainerConfig
    notes: tuple[str, ...] = per_run(())

    @property
    def active(self) -> dict[str, TaskConfig]:
        """The tasks that are trained: all, or those that `only` names, in the order of `tasks`; with model=boosting,
        which has no encoded inputs, none that reconstructs them."""
        asked = {k: v for k, v in self.tasks.items() if self.only is None or k in self.only}
        return {k: v for k, v in asked.items() if not (self.boosting and v.type == "reconstruction")}

    @property
    def kept(self) -> list[str]:
        """The tasks that are trained and whose heads do not exist only while training."""
        return [k for k, v in self.active.items() if not v.discard]

    @property
    def boosting(self) -> BoostingConfig | None:
        """The settings of model=boosting; None for a network."""
        return self.model if isinstance(self.model, BoostingConfig) else None

    @property
    def point(self) -> PointConfig | None:
        """The settings of model=point; None for anything else."""
        return self.model if isinstance(self.model, PointConfig) else None

    @property
    def net(self) -> ModelConfig:
        """The network's layers. With model=boosting there are none: its figures come from an evaluation like any
        other, of a network that is never trained. A point stands for one layer, as wide as it has coordinates."""
        if isinstance(self.model, ModelConfig):
            return self.model
        return ModelConfig(hidden=[len(self.point.start)] if self.point else [], head_hidden=[])


# The options of each group, by the `name` in their YAML; those of installed packages join them, see extensions.py.
GROUPS: dict[str, dict[str, type]] = {
    "data": {"table": DataConfig},
    "model": {"mlp": ModelConfig, "boosting": BoostingConfig, "point": PointConfig},
    "sharing": {**SHARINGS},
    "graph": {"none": GraphConfig, "chain": GraphConfig},
    "loss": {**LOSS_SETTINGS},  # a package's are none of ours, of which experiment=strategies takes one after the other
    "lr": {"single": LrConfig, "per_head": PerHeadLrConfig},
    "optimizer": {"adam": AdamConfig, "adamw": AdamConfig, "sgd": SgdConfig, "rmsprop": RmspropConfig},
    "trainer": {"trainer": TrainerConfig},
}
DEFAULT_OPTION = {"data": "table", "trainer": "trainer"}
TOP_LEVEL = ("seed", "name", "tasks", "only", "arms", "trials", "focus")


def as_mapping(config: Config) -> dict[str, Any]:
    """The configuration as nested plain mappings, of a boosting run without what only networks have.

    `check(plain(c))` gives `c` again.
    """
    tree = dataclasses.asdict(config)
    del tree["notes"]
    if config.boosting:
        tree = {key: value for key, value in tree.items() if key not in NETWORK_GROUPS}
        tree["trainer"] = {key: tree["trainer"][key] for key in TRAINER_OF_BOOSTING}
    return tree


def config_hash(config: Config) -> str:
    """SHA-256 (16 hexadecimal digits) of the configuration without its name."""
    tree = as_mapping(config)
    del tree["name"]
    return hashlib.sha256(repr(_ordered(tree)).encode()).hexdigest()[:16]


def _ordered(tree: Any) -> Any:
    """Mappings as sorted lists of pairs, whatever types their keys have."""
    if isinstance(tree, dict):
        return sorted(((str(key), _ordered(value)) for key, value in tree.items()), key=lambda pair: pair[0])
    return tree


def conf_dir() -> pathlib.Path:
    """The folder of the configuration groups, absolute: inside the package (a wheel) or beside it (a checkout)."""
    package = pathlib.Path(__file__).resolve().parents[1]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise FileNotFoundError(f"no conf/config.yaml in or beside {package}: the installation is incomplete")
