"""The configuration of a whole run, its form as a mapping, and its hash."""

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mtlrun.config.fields import PER_RUN, per_run
from mtlrun.config.graph import Graph
from mtlrun.config.schema.data import DataConfig
from mtlrun.config.schema.edge_parser import parse_graph
from mtlrun.config.schema.edges import GraphConfig
from mtlrun.config.schema.loss import LossConfig
from mtlrun.config.schema.lr import LrConfig
from mtlrun.config.schema.model import BareModelConfig, BoostingConfig, ModelConfig
from mtlrun.config.schema.optimizers import AdamConfig, RmspropConfig, SgdConfig
from mtlrun.config.schema.option_groups import NETWORK_GROUPS, TRAINER_OF_BOOSTING
from mtlrun.config.schema.sharing import SharingConfig
from mtlrun.config.schema.tasks import TaskConfig
from mtlrun.config.schema.trainer import TrainerConfig


@dataclass(frozen=True, kw_only=True)
class Config:
    """The checked configuration of a run. `notes` are lines to print once (dropped edges, equal rates, …).

    The fields hold the settings as the user wrote them. `rates` and `task_graph` are computed from `lr` and `graph`.
    `check` guarantees that both can be computed, and other code reads only these two. They are not fields: `as_mapping`
    and `==` ignore them, and a configuration from `dataclasses.replace` computes them anew.
    """

    seed: int = field(metadata=PER_RUN)
    name: str = field(metadata=PER_RUN)
    only: list[str] | None
    tasks: dict[str, TaskConfig]
    data: DataConfig
    model: BareModelConfig
    sharing: SharingConfig
    graph: GraphConfig
    loss: LossConfig
    lr: LrConfig
    optimizer: AdamConfig | SgdConfig | RmspropConfig
    trainer: TrainerConfig
    notes: tuple[str, ...] = per_run(())

    @property
    def active(self) -> dict[str, TaskConfig]:
        """The tasks that are trained, in the order of `tasks`: all, or those named in `only`.

        With model=boosting, reconstructions are left out, because there are no encoded inputs.
        """
        asked = {k: v for k, v in self.tasks.items() if self.only is None or k in self.only}
        return {k: v for k, v in asked.items() if not (self.boosting and v.reads_inputs)}

    @cached_property
    def rates(self) -> Mapping[str, float]:
        """The learning rates of the trunk (key `trunk`) and of the heads of the active tasks. A frozen trunk has 0."""
        rates = self.lr.rates(self.active)
        return rates | {"trunk": 0.0} if self.net.freeze else rates

    @cached_property
    def task_graph(self) -> Graph:
        """The graph of the active tasks."""
        return parse_graph(self.graph, self.tasks, self.active, len(self.net.hidden))

    @property
    def kept(self) -> list[str]:
        """The trained tasks whose heads are kept after training."""
        return [k for k, v in self.active.items() if not v.discard]

    @property
    def boosting(self) -> BoostingConfig | None:
        """The settings of model=boosting; None for a network."""
        return self.model if isinstance(self.model, BoostingConfig) else None

    @property
    def net(self) -> ModelConfig:
        """The layers of the network."""
        return self.model.net


def as_mapping(config: Config) -> dict[str, Any]:
    """The configuration as nested plain mappings. Settings that only networks have are left out of a boosting run.

    `check(as_mapping(c))` returns `c` again.
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
    """Converts mappings to lists of pairs, sorted by the text of the key."""
    if isinstance(tree, dict):
        return sorted(((str(key), _ordered(value)) for key, value in tree.items()), key=lambda pair: pair[0])
    return tree
