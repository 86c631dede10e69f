"""torch and NumPy for modules that the command line imports: loaded when an attribute is first used.

A task type has declarations for the check of a configuration, and tensor code. Both are in one file. The command line
imports that file; torch takes about a second to load, and a wrong request must be answered without it. Annotations must
not be evaluated: such a module begins with ``from __future__ import annotations`` and imports ``Tensor`` under
``TYPE_CHECKING``.
"""

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any


class LazyModule:
    """A stand-in for a module. Imports it when one of its attributes is first used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(importlib.import_module(self._name), attribute)
        setattr(self, attribute, value)  # the next access does not call __getattr__
        return value


@contextmanager
def importing(name: str) -> Iterator[None]:
    """Imports a module in another thread while the block runs. The block must not import what the module imports."""
    thread = threading.Thread(target=importlib.import_module, args=(name,))
    thread.start()
    try:
        yield
    finally:
        thread.join()


if TYPE_CHECKING:
    import numpy as np
    import torch as torch
else:
    np = LazyModule("numpy")
    torch = LazyModule("torch")

__all__ = ["LazyModule", "importing", "np", "torch"]
