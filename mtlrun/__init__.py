"""mtlrun: a command-line experiment runner for multi-task learning in PyTorch."""

import importlib
from typing import Any

from mtlrun.util.version import __version__

__all__ = ["__version__", "load"]
LATE = {"load": "mtlrun.cli.models"}  # it imports torch: the command line answers a wrong request without that


def __getattr__(name: str) -> Any:
    if name in LATE:
        return getattr(importlib.import_module(LATE[name]), name)
    raise AttributeError(f"module 'mtlrun' has no attribute {name!r}")
