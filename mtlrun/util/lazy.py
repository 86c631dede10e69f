"""torch and NumPy for modules that the command line imports: loaded when an attribute is first used.

Task types declare what the check asks for and hold the tensor code too. With these names both stand in one file, and a
wrong request is still answered without the second that torch takes to load. Annotations must not be evaluated: such a
module begins with ``from __future__ import annotations`` and imports ``Tensor`` under ``TYPE_CHECKING``.
"""

import importlib
from typing import TYPE_CHECKING, Any


class LazyModule:
    """Stands for a module that is imported at the first use of one of its attributes."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(importlib.import_module(self._name), attribute)
        setattr(self, attribute, value)  # found without this method from now on
        return value


if TYPE_CHECKING:
    import numpy as np
    import torch as torch
else:
    np = LazyModule("numpy")
    torch = LazyModule("torch")

__all__ = ["LazyModule", "np", "torch"]
