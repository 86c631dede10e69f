"""mtlrun: a command-line experiment runner for multi-task learning in PyTorch."""

from typing import Any

from mtlrun.util.version import __version__

__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    # torch loads only when it is needed: the command line answers a wrong request without it.
    if name == "load":
        from mtlrun.runs.predictor import load

        return load
    raise AttributeError(f"module 'mtlrun' has no attribute {name!r}")
