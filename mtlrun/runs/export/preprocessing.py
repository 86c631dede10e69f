"""Encodes raw columns in the ONNX graph: imputing, scaling and one-hot, by operators of ai.onnx and ai.onnx.ml.

Written by hand, because torch cannot trace text, and skl2onnx converts only transformers of scikit-learn.
"""

import numpy as np

from mtlrun.data.columns import InputColumn, InputSpec
from mtlrun.data.cycles import PERIODS
from mtlrun.data.kinds import HOURS
from mtlrun.network.inputs import InputEncoder
from mtlrun.network.number_features import FINITE, NumberFeatures
from mtlrun.network.number_scales import smoothly_clipped
from mtlrun.runs.export.onnx_graph import Graph
from mtlrun.runs.export.onnx_packages import TensorProto


def encode(graph: Graph, spec: InputSpec, encoder: InputEncoder) -> str:
    """Adds nodes that turn raw columns `[N, 1]` into the encoded inputs of the trunk, `[1, N, D]` float32.

    Returns the name of their output. The result equals that of `InputEncoder` for a single run. Hidden columns are left
    out; they come last among the columns.
    """
    numeric = [c for c in spec.inputs if not c.is_category]
    parts = []
    if numeric:
        # float64 until the mean is subtracted: float32 would round a timestamp too much
        values = graph.add("Concat", *(name for column in numeric for name in _numbers(graph, column)), axis=1)
        count = sum(column.count for column in numeric)
        centred = graph.add("Sub", values, graph.constant(encoder.mean[:1, :count].numpy()))
        scaled = graph.add("Mul", centred, graph.constant(encoder.inverse[:1, :count].numpy()))
        x = graph.add("Cast", scaled, to=TensorProto.FLOAT)
        missing = graph.add("IsNaN", x)
        x = graph.add("Where", missing, graph.constant(0, np.float32), x)
        parts.append(smoothly_clipped(graph, x) if encoder.robust else x)
        if with_gaps := [i for i in encoder.gaps if i < count]:
            gaps = graph.add("Gather", missing, graph.constant(with_gaps, np.int64), axis=1)
            parts.append(graph.add("Cast", gaps, to=TensorProto.FLOAT))
    for column in spec.inputs:
        if column.is_category:
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
        varies = np.concatenate([np.ones(encoder.mean.shape[1]), encoder.varies[0].numpy()])
        varies = varies if encoder.plain is None else varies[encoder.plain.numpy()]
        x = graph.add("Mul", x, graph.constant(varies, np.float32))
    if encoder.embedding is not None:
        x = graph.add("Concat", x, _features(graph, encoder.embedding, values), axis=1)
    return graph.add("Unsqueeze", x, graph.constant([0], np.int64))


def _features(graph: Graph, features: NumberFeatures, values: str) -> str:
    """Adds nodes that turn the numbers `[N, Dn]` into their features `[N, width]` of `model.embedding`."""
    values = graph.add("Gather", values, graph.constant(features.numbers.numpy()), axis=1)
    centred = graph.add("Sub", values, graph.constant(features.median[:1].numpy()))
    scaled = graph.add("Mul", centred, graph.constant(features.inverse[:1].numpy()))
    x = graph.add("Cast", scaled, to=TensorProto.FLOAT)
    missing = graph.add("IsNaN", x)
    x = graph.add("Where", missing, graph.constant(0, np.float32), x)
    x = graph.add("Clip", x, graph.constant(-FINITE, np.float32), graph.constant(FINITE, np.float32))
    count = len(features.numbers)
    parts = [
        graph.add("Reshape", part.exported(graph, x, missing), graph.constant([-1, count * part.each], np.int64))
        for part in features.parts
    ]
    return parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)


def _numbers(graph: Graph, column: InputColumn) -> list[str]:
    """The names of the numbers `[N, 1]` of a column: itself, then sine and cosine of each cycle of a date or time."""
    names = [column.name]
    for cycle in column.cycles:
        period = PERIODS[cycle] * (HOURS if column.time else 1)
        turns = graph.add("Div", column.name, graph.constant(period, np.float64))
        turn = graph.add("Sub", turns, graph.add("Floor", turns))
        angle = graph.add("Mul", turn, graph.constant(2 * np.pi, np.float64))
        # cos a = sin(a + π/2): onnxruntime has no cosine of float64
        ahead = graph.add("Add", angle, graph.constant(np.pi / 2, np.float64))
        names += [graph.add("Sin", angle), graph.add("Sin", ahead)]
    return names
