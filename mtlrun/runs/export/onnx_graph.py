"""An ONNX graph that is put together node by node."""

from typing import Any

import numpy as np

from mtlrun.runs.export.onnx_packages import helper, numpy_helper


class Graph:
    """Nodes and constants of a model. Names of values begin with `mark`, which no column or output begins with."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Any, dtype: Any = None) -> str:
        """A constant; of texts with dtype object."""
        name = f"{self.mark}constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """A node; the name of its output, which is `output` where that is given."""
        output = output or f"{self.mark}{operator}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, [*inputs], [output], output, **attributes))
        return output

    def named(self, value: str, output: str) -> str:
        """A value under the name of an output: that of the last node is renamed, any other is copied."""
        if list(self.nodes[-1].output) != [value]:
            return self.add("Identity", value, output=output)
        self.nodes[-1].output[0] = output
        return output
