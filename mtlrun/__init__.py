"""mtlrun: a command-line experiment runner for multi-task learning in PyTorch."""

import importlib
import warnings
from typing import Any

from mtlrun.util.version import __version__

__all__ = ["MultiTaskEstimator", "StackedSearchCV", "__version__", "load", "results"]
# They import torch: the command line answers a wrong request without that.
LATE = {
    "load": "mtlrun.api.models",
    "results": "mtlrun.api.result_frames",
    "MultiTaskEstimator": "mtlrun.api.estimator",
    "StackedSearchCV": "mtlrun.api.stacked_search",
}


def __getattr__(name: str) -> Any:
    if name in LATE:
        with warnings.catch_warnings():  # Optuna loads tqdm, which misses widgets in a notebook; mtlrun shows none
            warnings.filterwarnings("ignore", "IProgress not found")
            return getattr(importlib.import_module(LATE[name]), name)
    raise AttributeError(f"module 'mtlrun' has no attribute {name!r}; public: {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
