"""The settings of the group `model`: the trunk, or what replaces it."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from mtlrun.config.fields import SEARCH, bounded, per_run

Embedding = Literal["none", "piecewise", "periodic", "both"]
FEWEST_ROWS = 500  # training rows from which model.embedding=auto adds inputs: with fewer, nets overfit them
MANY_ROWS = 5_000  # training rows from which it adds those that follow fine structure


@dataclass(frozen=True, kw_only=True)
class BareModelConfig:
    """The base of all settings of the group `model`. It has no layers.

    has_heads: heads read the features of the trunk; False: every task needs a type with a function in place of a head
    over_runs: the implementation is a `Trunk` with the run axis in front, so the settings may be `per_run`; False: it
        is an nn.Module of one run, and all runs of a stack have the same settings
    """

    has_heads: ClassVar[bool] = True
    over_runs: ClassVar[bool] = False

    name: str

    @property
    def net(self) -> "ModelConfig":
        """The layers of the network: the widths that tasks can read, and the hidden layers of the heads."""
        return ModelConfig(hidden=[], head_hidden=[])


@dataclass(frozen=True, kw_only=True)
class ModelConfig(BareModelConfig):
    """The trunk, a multi-layer perceptron, and the sizes of the hidden layers of the heads.

    `tabular` is `mlp` with other values in its YAML. A stored run without a key of this class has the class's default.

    restart: changes the initial parameters, but not the split, the order of rows or the dropout of the seed.
    init_from: the folder of a run whose trunk initialises this one (runs/transfer.py).
    freeze: the trunk keeps its initial parameters.
    pretrain: the tasks on which the trunk is trained first (config/stages.py).
    clip_outputs: predictions of regressions end at the range of the training labels.

    The encoding of the inputs (network/inputs.py, network/number_features.py):

    scaling: of numbers: mean and std, or median and quartiles with smooth clipping.
    embedding: further inputs for each number: `bins` of quantiles, or sines and cosines of `frequencies` times `gain`;
        both; auto: none below `FEWEST_ROWS` training rows, both from `MANY_ROWS` on, between them piecewise.
    """

    name: Literal["mlp", "tabular"] = "mlp"
    hidden: list[int] = field(metadata={"at_least": 1, SEARCH: "[64,64],[128,128],[256,128],[256,256,256]"})
    head_hidden: list[int] = field(metadata={"at_least": 1, SEARCH: "[],[64]"})
    activation: Literal["relu", "tanh", "sigmoid", "gelu", "silu"] = "relu"
    dropout: float = bounded(0.0, search="0.0,0.1,0.3", at_least=0.0, below=1.0)
    restart: int = per_run(0, at_least=0)
    init_from: str | None = per_run(None)
    freeze: bool = per_run(False)
    pretrain: list[str] | None = None
    scaling: Literal["standard", "robust"] = "standard"
    embedding: Literal["auto", "none", "piecewise", "periodic", "both"] = bounded(
        "none", search="none,piecewise,periodic,both"
    )
    bins: int = bounded(16, at_least=2)
    frequencies: list[float] = field(default_factory=lambda: [0.125, 0.25, 0.5, 1.0], metadata={"above": 0.0})
    gain: float = bounded(4.0, above=0.0)
    clip_outputs: bool = False

    def embedding_for(self, rows: int) -> Embedding:
        """The embedding of a run with so many training rows."""
        if self.embedding == "auto":
            return "none" if rows < FEWEST_ROWS else "piecewise" if rows < MANY_ROWS else "both"
        return self.embedding

    def per_number(self, embedding: Embedding) -> int:
        """The number of further inputs that an embedding makes of each number."""
        bins, waves = self.bins, 2 * len(self.frequencies)
        return {"none": 0, "piecewise": bins, "periodic": waves, "both": bins + waves}[embedding]

    @property
    def ensemble(self) -> int:
        """The number of members of each run whose predictions are averaged, 1 if it is no ensemble."""
        return 1

    @property
    def net(self) -> "ModelConfig":
        return self


@dataclass(frozen=True, kw_only=True)
class TabmConfig(ModelConfig):
    """The trunk of `ModelConfig` as an ensemble of members that share its weights (mtlrun/model/trunks/tabm.py)."""

    name: Literal["tabm"] = "tabm"  # type: ignore[assignment]
    members: int = bounded(8, at_least=2)

    @property
    def ensemble(self) -> int:
        return self.members


@dataclass(frozen=True, kw_only=True)
class BoostingConfig(BareModelConfig):
    """Gradient boosting per task instead of a network: HistGradientBoosting of scikit-learn, with its parameter names.

    The usual evaluation runs with a network without layers that is never trained.

    `iterations` is max_iter; the val rows decide how many iterations are used. `l2` is l2_regularization.
    """

    name: Literal["boosting"] = "boosting"
    iterations: int = bounded(500, at_least=1)
    learning_rate: float = bounded(0.1, above=0.0)
    max_leaf_nodes: int = bounded(31, at_least=2)
    min_samples_leaf: int = bounded(20, at_least=1)
    l2: float = bounded(0.0, at_least=0.0)


# The models of packages are not in this table.
MODELS: dict[str, type] = {"mlp": ModelConfig, "tabular": ModelConfig, "tabm": TabmConfig, "boosting": BoostingConfig}
