"""An ONNX graph that is built node by node."""

from typing import Any

import numpy as np

from mtlrun.runs.export.onnx_packages import helper, numpy_helper


class Graph:
    """The nodes and constants of a model. `mark`: prefix of the names of values; no column or output begins with it."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Any, dtype: Any = None) -> str:
        """Adds a constant and returns its name. Text needs dtype object."""
        name = f"{self.mark}constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Adds a node and returns the name of its output: `output` if given."""
        output = output or f"{self.mark}{operator}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, [*inputs], [output], output, **attributes))
        return output

    def named(self, value: str, output: str) -> str:
        """Gives a value the name `output`. Renames the output of the last node; copies any other value."""
        if list(self.nodes[-1].output) != [value]:
            return self.add("Identity", value, output=output)
        self.nodes[-1].output[0] = output
        return output
