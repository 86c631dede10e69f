"""Builds the whole ONNX model, from the columns of a table to estimates, classes and probabilities."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mtlrun.config.schema import config_hash
from mtlrun.network.network import Network
from mtlrun.runs.export.onnx_graph import Graph
from mtlrun.runs.export.onnx_packages import TensorProto, compose, helper, onnx
from mtlrun.runs.export.preprocessing import encode
from mtlrun.runs.export.traced_network import OPSET, traced
from mtlrun.runs.predictor import NetworkPredictor, Predictor
from mtlrun.tasks.metrics import ROUNDING
from mtlrun.util.errors import RequestError
from mtlrun.util.version import __version__

UNITS = {(True, False): "days since 1970", (False, True): "hours since midnight"}  # of a date, of a time
ML_OPSET, IR_VERSION = 3, 8  # read by every onnxruntime from 1.13 on


class OutputNames(NamedTuple):
    """The names of a task's outputs.

    prediction: the estimate or the most probable class
    probabilities: of the classes; "" for a regression
    """

    prediction: str
    probabilities: str


def onnx_model(predictor: NetworkPredictor, network: Network) -> tuple[Any, dict[str, OutputNames]]:
    """The ONNX model with the heads of `network`, and the names of its outputs by task."""
    spec = predictor.spec
    columns = [c.name for c in spec.inputs]
    if "" in columns:
        raise RequestError(
            "export: a column has no name, and an input of an ONNX model must have one\n"
            "name it in the table, and train anew"
        )
    names = _output_names(predictor, columns)
    mark = "mtlrun/"
    while any(n.startswith(mark) for n in [*columns, *sum(names.values(), ())]):
        mark += "/"
    graph = Graph(mark)
    inputs = [
        helper.make_tensor_value_info(c.name, TensorProto.STRING if c.is_category else TensorProto.DOUBLE, ["N", 1])
        for c in spec.inputs
    ]
    encoded = encode(graph, spec, predictor.network.encoder)
    core = compose.add_prefix(traced(network, predictor.tasks), f"{mark}network/")
    graph.nodes += [helper.make_node("Identity", [encoded], [core.graph.input[0].name]), *core.graph.node]
    graph.constants += core.graph.initializer
    outputs: list[Any] = []
    for task, value in zip(predictor.tasks, core.graph.output, strict=True):
        outputs += _decode(graph, predictor, task, value.name, names[task])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "mtlrun", inputs, outputs, graph.constants),
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
        producer_name="mtlrun",
        producer_version=__version__,
    )
    helper.set_model_props(model, _properties(predictor, names))
    onnx.checker.check_model(model)
    return model, names


def _output_names(predictor: Predictor, columns: Sequence[str]) -> dict[str, OutputNames]:
    """`TASK` and `TASK probabilities` for each task. A name that an input has gets the ending " (predicted)"."""

    def free(name: str) -> str:
        while name in columns:
            name += " (predicted)"
        return name

    return {
        task: OutputNames(free(task), free(f"{task} probabilities") if predictor.classes[task] else "")
        for task in predictor.tasks
    }


def _decode(graph: Graph, predictor: NetworkPredictor, task: str, outputs: str, names: OutputNames) -> list[Any]:
    """Turns the outputs `[N, K]` of a task into outputs of the model, as `Predictor` turns them into columns."""
    name, of_probabilities = names
    values = graph.add("Cast", outputs, to=TensorProto.DOUBLE)
    if task in predictor.calibration.temperatures:
        values = graph.add("Div", values, graph.constant(predictor.calibration.temperatures[task], np.float64))
    classes = predictor.classes[task]
    decoded = predictor.task_type(task).exported(graph, values, len(classes))
    if decoded is None:
        raise RequestError(
            f"export: {task} is of type {predictor.config.tasks[task].type}, a package's, whose outputs only that "
            "package reads\nname other tasks: --tasks"
        )
    if not classes:
        unit, offset = predictor.units[task]
        scaled = graph.add("Mul", decoded, graph.constant(unit, np.float64))
        graph.add("Add", scaled, graph.constant(offset, np.float64), output=name)
        return [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["N"])]
    probabilities = graph.named(decoded, of_probabilities)
    most = graph.add("ReduceMax", probabilities, axes=[1], keepdims=1)
    near = graph.add("GreaterOrEqual", probabilities, graph.add("Mul", most, graph.constant(1 - ROUNDING, np.float64)))
    best = graph.add("ArgMax", graph.add("Cast", near, to=TensorProto.INT32), axis=1, keepdims=0)  # as `chosen`
    if any(isinstance(value, int) and not -(2**63) <= value < 2**63 for value in classes):
        raise RequestError(
            f"export: {task} has classes beyond the whole numbers of 64 bits, which ONNX cannot hold\n"
            "write them as text in the table, and train anew"
        )
    known = graph.constant(classes, object if isinstance(classes[0], str) else None)
    graph.add("Gather", known, best, output=name)
    return [
        helper.make_tensor_value_info(name, graph.constants[-1].data_type, ["N"]),
        helper.make_tensor_value_info(of_probabilities, TensorProto.DOUBLE, ["N", len(classes)]),
    ]


def _properties(predictor: Predictor, names: Mapping[str, OutputNames]) -> dict[str, str]:
    """The metadata of the model: the version of mtlrun, the run's configuration hash, and two descriptions in JSON.

    They give the kind of every input, and the task and unit or classes of every output.
    """
    inputs = {
        c.name: "category" if c.is_category else UNITS.get((c.date, c.time), "number") for c in predictor.spec.inputs
    }
    outputs: dict[str, dict[str, Any]] = {}
    for task, (name, of_probabilities) in names.items():
        classes = predictor.classes[task]
        if not classes:
            outputs[name] = {"task": task, "is": "estimate", "unit": predictor.config.tasks[task].unit}
            continue
        outputs[name] = {"task": task, "is": "most probable class", "classes": classes}
        outputs[of_probabilities] = {"task": task, "is": "probabilities", "classes": classes}
    texts = {key: json.dumps(value, ensure_ascii=False) for key, value in (("inputs", inputs), ("outputs", outputs))}
    return {"mtlrun": __version__, "config_hash": config_hash(predictor.config), **texts}
