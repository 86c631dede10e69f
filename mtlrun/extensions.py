"""Names that a package imports to add options to mtlrun (see docs/extending.md). Imports neither torch nor pandas."""

from mtlrun.config.fields import bounded, per_run
from mtlrun.config.package import Extension, Option, TaskTypeOption
from mtlrun.config.schema import BareModelConfig, ModelConfig
from mtlrun.config.schema.loss import LossConfig
from mtlrun.config.schema.sharing import SharingConfig
from mtlrun.tasks.declaration import Loss, Metric
from mtlrun.tasks.trees import Classifier, Regressor

__all__ = [
    "BareModelConfig",
    "Classifier",
    "Extension",
    "Loss",
    "LossConfig",
    "Metric",
    "ModelConfig",
    "Option",
    "Regressor",
    "SharingConfig",
    "TaskTypeOption",
    "bounded",
    "per_run",
]
