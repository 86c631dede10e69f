"""Writes the model of a run to an ONNX file, and checks that it agrees with `predict`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtlrun.config.schema import Config
from mtlrun.runs.ensemble import load_ensemble
from mtlrun.runs.export.onnx_model import UNITS, onnx_model
from mtlrun.runs.export.onnx_packages import TensorProto, onnx
from mtlrun.runs.export.parity import parity
from mtlrun.runs.predictor import load, networks_of, selected
from mtlrun.storage.files import write_atomic
from mtlrun.util.errors import RequestError
from mtlrun.util.terminal import say

LARGEST = 2**31 - 2**20  # bytes of the parameters; the format allows 2 GiB, and 1 MiB is left for the rest of the model
TYPES: dict[Any, str] = {
    TensorProto.DOUBLE: "float64",
    TensorProto.STRING: "string",
    TensorProto.INT64: "int64",
    TensorProto.BOOL: "bool",
}


@dataclass(frozen=True)
class Exported:
    """A model file that was written.

    inputs, outputs: (type, shape) by name
    size: of the file, in bytes
    rows: the rows on which it was compared with `predict`, in words
    difference: the largest difference on these rows
    """

    inputs: dict[str, tuple[str, str]]
    outputs: dict[str, tuple[str, str]]
    size: int
    rows: str
    difference: float


def export(folders: Sequence[Path], out: Path, tasks: Sequence[str] | None = None) -> Exported:
    """Writes the network of a run's selected checkpoint to `out`, with the main tasks or `tasks`.

    Several `folders` of runs: one model, which is their ensemble. Heads that none of these tasks needs are left out.
    The file is written only if onnxruntime and `predict` agree to 1e-4. Probabilities are compared as they are;
    estimates are divided by the spread of the training labels, or by the size of the network's output if that is
    larger. Raises RequestError if they do not agree, if there is no such run or task, if a model is no network, and as
    `load_ensemble` does.
    """
    for folder in folders:
        _require_network(folder, selected(folder)[0])
    predictor = load(folders[0], tasks) if len(folders) == 1 else load_ensemble(folders, tasks)
    if predictor.note:
        say(predictor.note)
    networks = [member.pruned() for member in networks_of(predictor)]
    size = sum(t.numel() * t.element_size() for network in networks for t in network.state_dict().values())
    if size > LARGEST:
        raise RequestError(
            f"export: the parameters take {size / 2**30:.1f} GiB\nallowed: below 2 GiB, which is all "
            "that one ONNX file holds"
        )
    model, names = onnx_model(predictor, networks)
    checked: list[tuple[str, float]] = []

    def write(beside: Path) -> None:
        onnx.save(model, str(beside))
        checked.append(parity(predictor, names, beside, out))

    write_atomic(out, write)
    inputs, outputs = (
        {v.name: (TYPES[v.type.tensor_type.elem_type], _shape(v)) for v in values}
        for values in (model.graph.input, model.graph.output)
    )
    for column in predictor.spec.inputs:
        if unit := UNITS.get((column.date, column.time)):
            kind, shape = inputs[column.name]
            inputs[column.name] = (f"{kind}, {unit}", shape)
    return Exported(inputs, outputs, out.stat().st_size, *checked[0])


def _require_network(folder: Path, config: Config) -> None:
    if config.boosting or not config.model.has_heads:
        raise RequestError(
            f"export: {folder} has model={config.model.name}, and only networks are exported\n"
            "allowed: runs of a network, such as model=mlp"
        )


def _shape(value: Any) -> str:
    return f"[{', '.join(d.dim_param or str(d.dim_value) for d in value.type.tensor_type.shape.dim)}]"
