"""The configuration groups and their options."""

import pathlib

from mtlrun.config.schema.data import DataConfig
from mtlrun.config.schema.edges import ChainGraphConfig, GraphConfig
from mtlrun.config.schema.loss import LOSS_SETTINGS
from mtlrun.config.schema.lr import LrConfig, PerHeadLrConfig
from mtlrun.config.schema.model import MODELS
from mtlrun.config.schema.optimizers import AdamConfig, RmspropConfig, SgdConfig
from mtlrun.config.schema.sharing import SHARINGS
from mtlrun.config.schema.trainer import TrainerConfig

# The options of each group, by the `name` in their YAML. config/extensions.py adds the options of packages.
GROUPS: dict[str, dict[str, type]] = {
    "data": {"table": DataConfig},
    "model": {**MODELS},
    "sharing": {**SHARINGS},
    "graph": {"none": GraphConfig, "chain": ChainGraphConfig},
    "loss": {**LOSS_SETTINGS},  # a copy without packages: experiment=strategies runs only the strategies of mtlrun
    "lr": {"single": LrConfig, "per_head": PerHeadLrConfig},
    "optimizer": {"adam": AdamConfig, "adamw": AdamConfig, "sgd": SgdConfig, "rmsprop": RmspropConfig},
    "trainer": {"trainer": TrainerConfig},
}
DEFAULT_OPTION = {"data": "table", "trainer": "trainer"}
TOP_LEVEL = ("seed", "name", "tasks", "only", "arms", "trials", "focus")

# Groups that only networks have, with their default option; trainer settings that model=boosting has too.
NETWORK_GROUPS = {"sharing": "hard", "graph": "none", "loss": "sum", "lr": "single", "optimizer": "adam"}
TRAINER_OF_BOOSTING = ("patience", "calibrate", "device", "threads", "tensorboard")


def conf_dir() -> pathlib.Path:
    """The absolute path of the folder conf: inside the package (wheel) or beside it (checkout)."""
    package = pathlib.Path(__file__).resolve().parents[2]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise FileNotFoundError(f"no conf/config.yaml in or beside {package}: the installation is incomplete")
