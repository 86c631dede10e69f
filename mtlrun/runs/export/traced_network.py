"""The network as a separate ONNX model, traced by torch."""

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.model.trunks.foreign import ForeignTrunk
from mtlrun.network.network import Network
from mtlrun.runs.export.onnx_packages import onnx
from mtlrun.runs.predicted_tasks import task_outputs
from mtlrun.util.errors import RequestError

OPSET = 17  # read by every onnxruntime from 1.13 on


class _Core(nn.Module):
    """Maps the encoded inputs of the trunk, `[1, N, D]`, to the outputs `[N, K]` of each task, in order."""

    def __init__(self, network: Network, tasks: Sequence[str]) -> None:
        super().__init__()
        self.network, self.tasks = network, tasks

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(task_outputs(self.network, self.tasks, self.network.of_shown(x)).values())


def traced(network: Network, tasks: Sequence[str]) -> Any:
    """The network as a separate ONNX model with one input and an output for each task.

    Raises RequestError if torch cannot write it.
    """
    for module in network.modules():
        if isinstance(module, ForeignTrunk):
            module.leave_stack()
    for scale in network.scales:
        scale.constant = 1.0  # no gradient is needed, and ONNX does not know the operator that scales it
    width = network.encoder.width if network.encoder.visible is None else len(network.encoder.visible)
    x = torch.zeros(1, 3, width)
    try:
        with warnings.catch_warnings(), torch.no_grad(), tempfile.TemporaryDirectory() as folder:
            # Warnings are about fixed shapes and branches. Only N varies, and `parity` finds any difference.
            warnings.simplefilter("ignore")
            file = Path(folder, "network.onnx")
            names = [f"outputs{i}" for i in range(len(tasks))]
            torch.onnx.export(  # with dynamo=False no further package is needed
                _Core(network, tasks).eval(),
                (x,),
                file,
                input_names=["x"],
                output_names=names,
                opset_version=OPSET,
                dynamic_axes={"x": {1: "N"}},
                dynamo=False,
            )
            return onnx.load(str(file))
    except (RuntimeError, TypeError, ValueError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise RequestError(
            f"export: torch cannot write this network as ONNX ({reason})\n"
            "allowed: networks of operators that torch.onnx knows"
        ) from problem
