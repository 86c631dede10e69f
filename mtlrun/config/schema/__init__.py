"""The typed schema: a frozen dataclass for each option of each configuration group, and `Config` for a whole run.

`check` (config/check.py) turns a plain mapping into a `Config`. Nothing here imports torch or pandas, so that a wrong
request fails fast. They are plain dataclasses: pydantic would check types too, but not name the full key, the nearest
spelling and what is allowed.

`name` identifies the option of a group (`loss.name`, `lr.name`, …). The metadata of a field hold its bounds (`above`,
`below`, `at_least`, `at_most`) and whether it is `per_run`. Runs that differ only in `per_run` fields may train in one
stack (runs/size.py compares them, sweeps/division.py divides).
"""

from mtlrun.config.schema.config import Config, as_mapping, config_hash
from mtlrun.config.schema.data import ColumnConfig, DataConfig, NumberConfig, SplitConfig
from mtlrun.config.schema.edges import ChainGraphConfig, GraphConfig, ReverseConfig
from mtlrun.config.schema.loss import LOSS_SETTINGS, GradientLossConfig, LossConfig
from mtlrun.config.schema.lr import LrConfig, PerHeadLrConfig
from mtlrun.config.schema.model import MODELS, BareModelConfig, BoostingConfig, ModelConfig, TabmConfig
from mtlrun.config.schema.optimizers import AdamConfig, RmspropConfig, SgdConfig
from mtlrun.config.schema.option_groups import (
    DEFAULT_OPTION,
    GROUPS,
    NETWORK_GROUPS,
    TOP_LEVEL,
    TRAINER_OF_BOOSTING,
    conf_dir,
)
from mtlrun.config.schema.sharing import SHARINGS, GroupsConfig, SharingConfig, TiedConfig
from mtlrun.config.schema.tasks import SmoothConfig, TaskConfig
from mtlrun.config.schema.trainer import OVER_TASKS, TrainerConfig

__all__ = [
    "DEFAULT_OPTION",
    "GROUPS",
    "LOSS_SETTINGS",
    "MODELS",
    "NETWORK_GROUPS",
    "OVER_TASKS",
    "SHARINGS",
    "TOP_LEVEL",
    "TRAINER_OF_BOOSTING",
    "AdamConfig",
    "BareModelConfig",
    "BoostingConfig",
    "ChainGraphConfig",
    "ColumnConfig",
    "Config",
    "DataConfig",
    "GradientLossConfig",
    "GraphConfig",
    "GroupsConfig",
    "LossConfig",
    "LrConfig",
    "ModelConfig",
    "NumberConfig",
    "PerHeadLrConfig",
    "ReverseConfig",
    "RmspropConfig",
    "SgdConfig",
    "SharingConfig",
    "SmoothConfig",
    "SplitConfig",
    "TabmConfig",
    "TaskConfig",
    "TiedConfig",
    "TrainerConfig",
    "as_mapping",
    "conf_dir",
    "config_hash",
]
