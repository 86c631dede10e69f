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
from mtlrun.runs.predictor import NetworkPredictor, Predictor, networks_of
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


def onnx_model(predictor: Predictor, networks: Sequence[Network]) -> tuple[Any, dict[str, OutputNames]]:
    """The ONNX model of a predictor, and the names of its outputs by task.

    networks: those whose predictions it averages, in the order of `networks_of`, with only some heads
    """
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
    predictions: dict[str, list[str]] = {task: [] for task in predictor.tasks}
    for number, (member, network) in enumerate(zip(networks_of(predictor), networks, strict=True)):
        for task, value in _predictions(graph, member, network, f"network{number or ''}/").items():
            predictions[task].append(value)
    outputs: list[Any] = []
    for task, values in predictions.items():
        outputs += _decide(graph, predictor.classes[task], _mean(graph, values), names[task])
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


def _predictions(graph: Graph, member: NetworkPredictor, network: Network, prefix: str) -> dict[str, str]:
    """Adds a network, from the raw columns to the estimates or probabilities of each task. Returns their names."""
    encoded = encode(graph, member.spec, member.network.encoder)
    core = compose.add_prefix(traced(network, member.tasks), f"{graph.mark}{prefix}")
    graph.nodes += [helper.make_node("Identity", [encoded], [core.graph.input[0].name]), *core.graph.node]
    graph.constants += core.graph.initializer
    outputs = zip(member.tasks, core.graph.output, strict=True)
    return {task: _predicted(graph, member, task, value.name) for task, value in outputs}


def _predicted(graph: Graph, member: NetworkPredictor, task: str, outputs: str) -> str:
    """Turns the outputs `[N, K]` of a task into numbers `[N]` or probabilities, as `Predictor.predicted` does."""
    values = graph.add("Cast", outputs, to=TensorProto.DOUBLE)
    if task in member.calibration.temperatures:
        values = graph.add("Div", values, graph.constant(member.calibration.temperatures[task], np.float64))
    classes = member.classes[task]
    decoded = member.task_type(task).exported(graph, values, len(classes))
    if decoded is None:
        raise RequestError(
            f"export: {task} is of type {member.config.tasks[task].type}, a package's, whose outputs only that "
            "package reads\nname other tasks: --tasks"
        )
    if classes:
        return decoded
    unit, offset = member.units[task]
    scaled = graph.add("Mul", decoded, graph.constant(unit, np.float64))
    return graph.add("Add", scaled, graph.constant(offset, np.float64))


def _mean(graph: Graph, values: Sequence[str]) -> str:
    """Adds the mean of the predictions of several networks."""
    if len(values) == 1:
        return values[0]
    total = graph.add("Sum", *values)  # onnxruntime has no Mean of float64
    return graph.add("Mul", total, graph.constant(1 / len(values), np.float64))


def _decide(graph: Graph, classes: Sequence[Any], predicted: str, names: OutputNames) -> list[Any]:
    """Turns predictions of a task into outputs of the model, as `Predictor` turns them into columns."""
    name, of_probabilities = names
    if not classes:
        graph.named(predicted, name)
        return [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["N"])]
    probabilities = graph.named(predicted, of_probabilities)
    most = graph.add("ReduceMax", probabilities, axes=[1], keepdims=1)
    near = graph.add("GreaterOrEqual", probabilities, graph.add("Mul", most, graph.constant(1 - ROUNDING, np.float64)))
    best = graph.add("ArgMax", graph.add("Cast", near, to=TensorProto.INT32), axis=1, keepdims=0)  # as `chosen`
    if any(isinstance(value, int) and not -(2**63) <= value < 2**63 for value in classes):
        raise RequestError(
            f"export: {name} has classes beyond the whole numbers of 64 bits, which ONNX cannot hold\n"
            "write them as text in the table, and train anew"
        )
    known = graph.constant(classes, object if isinstance(classes[0], str) else None)
    graph.add("Gather", known, best, output=name)
    return [
        helper.make_tensor_value_info(name, graph.constants[-1].data_type, ["N"]),
        helper.make_tensor_value_info(of_probabilities, TensorProto.DOUBLE, ["N", len(classes)]),
    ]


def _properties(predictor: Predictor, names: Mapping[str, OutputNames]) -> dict[str, str]:
    """The metadata of the model: the version of mtlrun, the configuration hashes, and two descriptions in JSON.

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
    hashes = dict.fromkeys(config_hash(member.config) for member in predictor.members)
    return {"mtlrun": __version__, "config_hash": ",".join(hashes), **texts}
