"""The settings of the group `model`: the trunk, or what replaces it."""

from dataclasses import dataclass, field
from typing import Literal

from mtlrun.config.fields import PER_RUN, bounded, per_run


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The trunk, a multi-layer perceptron, and the sizes of the hidden layers of the heads.

    restart: changes the initial parameters, but not the split, the order of rows or the dropout of the seed.
    init_from: the folder of a run whose trunk initialises this one (runs/transfer.py).
    freeze: the trunk keeps its initial parameters.
    pretrain: the tasks on which the trunk is trained first (config/stages.py).
    """

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
    """Gradient boosting per task instead of a network: HistGradientBoosting of scikit-learn, with its parameter names.

    `iterations` is max_iter; the val rows decide how many iterations are used. `l2` is l2_regularization.
    """

    name: Literal["boosting"] = "boosting"
    iterations: int = bounded(500, at_least=1)
    learning_rate: float = bounded(0.1, above=0.0)
    max_leaf_nodes: int = bounded(31, at_least=2)
    min_samples_leaf: int = bounded(20, at_least=1)
    l2: float = bounded(0.0, at_least=0.0)


@dataclass(frozen=True, kw_only=True)
class PointConfig:
    """A trunk that is a single point. Its coordinates are the parameters, with initial values `start`.

    There are no heads, and every task is an objective.
    """

    name: Literal["point"] = "point"
    start: list[float] = field(metadata=PER_RUN)


# The models of packages are not in this table; their settings derive from ModelConfig.
MODELS: dict[str, type] = {"mlp": ModelConfig, "boosting": BoostingConfig, "point": PointConfig}
