"""A trained network as an ONNX model that takes the raw columns of a table.

Its inputs are those columns, `[N, 1]` each: numbers as float64, dates as days since 1970, text as strings; NaN and ""
are missing values. Its outputs are in the units of the targets. What `predict` does lies inside: imputing, scaling and
one-hot by ai.onnx and ai.onnx.ml operators that are put together here, the network as torch traces it, probabilities
and units again by hand.

Needs the packages of the extra `export`; importing this module without them raises RequestError.
"""

import json
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mtlrun.config.schema import Config, config_hash
from mtlrun.data.columns import InputSpec
from mtlrun.data.dataset import load_dataset, load_table
from mtlrun.data.kinds import DAY, as_texts
from mtlrun.model.trunks.foreign import ForeignTrunk
from mtlrun.network.inputs import InputEncoder
from mtlrun.network.network import Network, TaskSpec
from mtlrun.network.prune import pruned
from mtlrun.results.files import write_atomic
from mtlrun.runs.predictor import NetworkPredictor, Predictor, leaving, load, selected, task_outputs
from mtlrun.util.errors import RequestError
from mtlrun.util.version import __version__

# before onnxruntime loads: it would report its use to its makers, from a thread that processes forked later wait for
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
try:
    import onnx
    import onnxruntime
    from onnx import TensorProto, compose, helper, numpy_helper
except ImportError as error:
    raise RequestError(
        f"export: needs onnx and onnxruntime ({str(error).splitlines()[0]})\ninstall them: pip install 'mtlrun[export]'"
    ) from None

OPSET, ML_OPSET, IR_VERSION = 17, 3, 8  # read by every onnxruntime from 1.13 on
LARGEST = 2**31 - 2**20  # bytes of one model: the limit of its format, less what is beside the parameters
ROWS, MADE_UP = 1000, 64
TOLERANCE = 1e-4
TYPES: dict[Any, str] = {
    TensorProto.DOUBLE: "float64",
    TensorProto.STRING: "string",
    TensorProto.INT64: "int64",
    TensorProto.BOOL: "bool",
}


@dataclass(frozen=True)
class Exported:
    """A model that was written: its inputs and outputs, name → (type, shape), its size in bytes, the rows on which it
    was compared with `predict`, in words, and the largest difference there."""

    inputs: dict[str, tuple[str, str]]
    outputs: dict[str, tuple[str, str]]
    size: int
    rows: str
    difference: float


def export(folder: Path, out: Path, tasks: Sequence[str] | None = None) -> Exported:
    """Writes the network of a run's selected checkpoint to `out`, with the main tasks or those named; heads that none
    of them needs are left out.

    The file is there only if onnxruntime and `predict` agree to 1e-4: in probabilities, and in estimates over the
    spread of the training labels (or over the estimate's own size in the network, where that is larger). Raises
    RequestError where they do not, where there is no such run or task, and for what is no network.
    """
    config, tree = selected(folder)
    if config.boosting or config.point:
        raise RequestError(
            f"export: {folder} has model={config.model.name}, and only networks are exported\n"
            "allowed: runs of a network, such as model=mlp"
        )
    predictor = load(folder, leaving(config, tasks))
    assert isinstance(predictor, NetworkPredictor), "it is no boosting"
    network = pruned(predictor.network, config, [TaskSpec.from_plain(s) for s in tree["specs"]], predictor.tasks)
    size = sum(t.numel() * t.element_size() for t in network.state_dict().values())
    if size > LARGEST:
        raise RequestError(
            f"export: the parameters take {size / 2**30:.1f} GiB\nallowed: below 2 GiB, which is all "
            "that one ONNX file holds"
        )
    model, names = _model(predictor, network)
    checked: list[tuple[str, float]] = []

    def write(beside: Path) -> None:
        onnx.save(model, str(beside))
        checked.append(_parity(predictor, names, beside, out))

    write_atomic(out, write)
    inputs, outputs = (
        {v.name: (TYPES[v.type.tensor_type.elem_type], _shape(v)) for v in values}
        for values in (model.graph.input, model.graph.output)
    )
    return Exported(inputs, outputs, out.stat().st_size, *checked[0])


def _shape(value: Any) -> str:
    return f"[{', '.join(d.dim_param or str(d.dim_value) for d in value.type.tensor_type.shape.dim)}]"


# ---------------------------------------------------------------- the model


class _Graph:
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


def _model(predictor: NetworkPredictor, network: Network) -> tuple[Any, dict[str, tuple[str, str]]]:
    """The model, with the heads of `network`, and by task the names of its outputs: estimate or class, probabilities
    ("" of a regression)."""
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
    graph = _Graph(mark)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE if kind == "numeric" else TensorProto.STRING, ["N", 1])
        for name, kind in ((c.name, c.kind) for c in spec.inputs)
    ]
    encoded = _encode(graph, spec, predictor.network.encoder)
    core = compose.add_prefix(_core(network, predictor.tasks), f"{mark}network/")
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


def _output_names(predictor: Predictor, columns: Sequence[str]) -> dict[str, tuple[str, str]]:
    """TASK and TASK probabilities, but with another ending where an input has that name."""

    def free(name: str) -> str:
        while name in columns:
            name += " (predicted)"
        return name

    return {
        task: (free(task), free(f"{task} probabilities") if predictor.classes[task] else "") for task in predictor.tasks
    }


def _encode(graph: _Graph, spec: InputSpec, encoder: InputEncoder) -> str:
    """Raw columns `[N, 1]` → what the trunk sees of the encoded inputs, `[1, N, D]` float32, as InputEncoder makes them
    of a single run. Hidden columns come last among the columns, and are left out."""
    numeric = [c.name for c in spec.inputs if c.kind == "numeric"]
    parts = []
    if numeric:
        # in float64 until the mean is gone: of a timestamp float32 would leave nothing
        values = graph.add("Concat", *numeric, axis=1)
        centred = graph.add("Sub", values, graph.constant(encoder.mean[:1, : len(numeric)].numpy()))
        scaled = graph.add("Mul", centred, graph.constant(encoder.inverse[:1, : len(numeric)].numpy()))
        x = graph.add("Cast", scaled, to=TensorProto.FLOAT)
        missing = graph.add("IsNaN", x)
        parts.append(graph.add("Where", missing, graph.constant(0, np.float32), x))
        if with_gaps := [i for i in encoder.gaps if i < len(numeric)]:
            gaps = graph.add("Gather", missing, graph.constant(with_gaps, np.int64), axis=1)
            parts.append(graph.add("Cast", gaps, to=TensorProto.FLOAT))
    for column in spec.inputs:
        if column.kind == "category":
            words = [*column.categories, *([""] if column.missing else [])]
            code = graph.add(
                "LabelEncoder",
                column.name,
                domain="ai.onnx.ml",
                keys_strings=words,
                values_int64s=list(range(len(words))),
                default_int64=-1,
            )
            hits = graph.add("Equal", code, graph.constant([range(len(words))], np.int64))
            parts.append(graph.add("Cast", hits, to=TensorProto.FLOAT))
    x = graph.add("Concat", *parts, axis=1)
    if encoder.masked:
        seen = np.concatenate([np.ones(encoder.mean.shape[1]), encoder.seen[0].numpy()])
        seen = seen if encoder.visible is None else seen[encoder.visible.numpy()]
        x = graph.add("Mul", x, graph.constant(seen, np.float32))
    return graph.add("Unsqueeze", x, graph.constant([0], np.int64))


class _Core(nn.Module):
    """What the trunk sees of the encoded inputs, `[1, N, D]` → the outputs `[N, K]` of each task in order."""

    def __init__(self, network: Network, tasks: Sequence[str]) -> None:
        super().__init__()
        self.network, self.tasks = network, tasks

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(task_outputs(self.network, self.tasks, self.network.of_shown(x)).values())


def _core(network: Network, tasks: Sequence[str]) -> Any:
    """The network as a model of its own, with one input and an output for each task, traced by torch."""
    for module in network.modules():
        if isinstance(module, ForeignTrunk):
            module.leave_stack()
    for scale in network.scales:
        scale.constant = 1.0  # no gradient flows: the operator that scales it would be one that ONNX does not know
    width = network.encoder.width if network.encoder.visible is None else len(network.encoder.visible)
    x = torch.zeros(1, 3, width)
    try:
        with warnings.catch_warnings(), torch.no_grad(), tempfile.TemporaryDirectory() as folder:
            # shapes are fixed but for N, and what the trace did not follow shows in the comparison with predict
            warnings.simplefilter("ignore")
            file = Path(folder, "network.onnx")
            names = [f"outputs{i}" for i in range(len(tasks))]
            torch.onnx.export(  # the exporter that needs no further package
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


def _decode(graph: _Graph, predictor: NetworkPredictor, task: str, outputs: str, names: tuple[str, str]) -> list[Any]:
    """Outputs `[N, K]` of a task → those of the model, as Predictor makes columns of them."""
    name, of_probabilities = names
    values = graph.add("Cast", outputs, to=TensorProto.DOUBLE)
    classes = predictor.classes[task]
    decoded = predictor.type_of(task).exported(graph, values, len(classes))
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
    probabilities = graph.add("Identity", decoded, output=of_probabilities)
    best = graph.add("ArgMax", probabilities, axis=1, keepdims=0)
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


def _properties(predictor: Predictor, names: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """What the model says of itself: mtlrun's version, the run's configuration hash; of every input what it is, of
    every output its task, and its unit or classes, as JSON."""
    inputs = {
        c.name: "days since 1970" if c.date else "number" if c.kind == "numeric" else "category"
        for c in predictor.spec.inputs
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


# ---------------------------------------------------------------- parity


def feeds(spec: InputSpec, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """The rows of a table as the model's inputs: float64 or object arrays `[N, 1]` by column. Raises RequestError as
    `InputSpec.transform`."""
    numbers, _ = spec.transform(frame)
    columns = iter(numbers.T)
    return {
        c.name: (next(columns) if c.kind == "numeric" else as_texts(frame[c.name])).reshape(-1, 1) for c in spec.inputs
    }


def _parity(
    predictor: NetworkPredictor, names: Mapping[str, tuple[str, str]], model: Path, out: Path
) -> tuple[str, float]:
    """The rows that were compared, in words, and the largest difference. Raises RequestError above 1e-4."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    invented = _made_up(predictor.spec, predictor.network.encoder)
    frames, words = [invented], f"{len(invented):,} made-up rows, as the run's table cannot be read"
    if (test := _test_rows(predictor.config, predictor.spec)) is not None:
        frames, words = [test, invented], f"{len(test):,} rows of test and {len(invented):,} made up with gaps"
    differences = []
    for frame in frames:
        found = session.run(None, feeds(predictor.spec, frame))
        outputs = dict(zip([o.name for o in session.get_outputs()], found, strict=True))
        differences.append(_difference(predictor, names, frame, outputs))
    difference = float(np.max(differences))  # nan where one is
    if not difference <= TOLERANCE:
        raise RequestError(
            f"export: onnxruntime and predict differ by {difference:.2g} on {words}; {out} is not "
            f"written\nallowed: {TOLERANCE:g}; use the versions that constraints.txt pins"
        )
    return words, difference


def _test_rows(config: Config, spec: InputSpec) -> pd.DataFrame | None:
    """Up to 1,000 test rows of the run's own table, evenly spaced; None where it is not there any more."""
    try:
        test = load_dataset(config).split.test
        frame = load_table(config.data)[0].frame.iloc[
            test[np.linspace(0, len(test) - 1, min(ROWS, len(test)), dtype=int)]
        ]
        spec.transform(frame)
    except RequestError:
        return None
    return frame


def _made_up(spec: InputSpec, encoder: InputEncoder) -> pd.DataFrame:
    """Rows of normal numbers, like those of training in mean and spread, and of every category in turn, with missing
    values in each column and an unknown category."""
    stream = np.random.default_rng(0)
    rows = max([MADE_UP, *(len(c.categories) + 2 for c in spec.columns)])
    mean, inverse = encoder.mean[0].numpy(), encoder.inverse[0].numpy()
    frame, at = {}, 0
    for number, column in enumerate(spec.columns):
        if column.kind == "category":
            unknown = "unknown"
            while unknown in column.categories:
                unknown += "?"
            words = [*column.categories, None, unknown]
            frame[column.name] = pd.Series([words[(i + number) % len(words)] for i in range(rows)], dtype=object)
            continue
        spread = 1 / inverse[at] if inverse[at] else 0.0
        values = mean[at] + spread * stream.normal(size=rows)
        values[number % 7 :: 7] = np.nan
        frame[column.name] = pd.to_datetime(pd.Series(values) * DAY, unit="us") if column.date else pd.Series(values)
        at += 1
    return pd.DataFrame(frame)


def _difference(
    predictor: NetworkPredictor,
    names: Mapping[str, tuple[str, str]],
    frame: pd.DataFrame,
    outputs: Mapping[str, np.ndarray],
) -> float:
    """The largest difference of the outputs from `predict`: of probabilities; of estimates over the spread of the
    training labels or, as float32 has so many digits, over what the network puts out where that is larger. Where
    another class is the most probable one, by how much less probable it is."""
    expected = predictor.predict(frame)
    own: np.ndarray
    found = [0.0]
    for task, (name, of_probabilities) in names.items():
        classes = predictor.classes[task]
        if not classes:
            unit, offset = predictor.units[task]
            at = predictor.network.tasks.index(task)
            own = expected[task].to_numpy(dtype=np.float64)
            size = np.maximum(unit / float(predictor.network.label_inverse[0, at]), np.abs(own - offset))
            found.append(float((np.abs(outputs[name] - own) / size).max()))
            continue
        own = expected[[f"{task}[{c}]" for c in classes]].to_numpy(dtype=np.float64)
        found.append(float(np.abs(outputs[of_probabilities] - own).max()))
        chosen = [classes.index(value) for value in outputs[name].tolist()]
        found.append(float((own.max(1) - own[np.arange(len(own)), chosen]).max()))
    return float(np.max(found))  # nan where one is
