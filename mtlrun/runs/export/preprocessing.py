"""Encodes raw columns in the ONNX graph: imputing, scaling and one-hot, by operators of ai.onnx and ai.onnx.ml.

Written by hand, because torch traces no text, and skl2onnx converts transformers of scikit-learn only.
"""

import numpy as np

from mtlrun.data.columns import InputSpec
from mtlrun.network.inputs import InputEncoder
from mtlrun.runs.export.onnx_graph import Graph
from mtlrun.runs.export.onnx_packages import TensorProto


def encode(graph: Graph, spec: InputSpec, encoder: InputEncoder) -> str:
    """Adds nodes that turn raw columns `[N, 1]` into the encoded inputs of the trunk, `[1, N, D]` float32.

    Returns the name of their output. The result equals that of `InputEncoder` for a single run. Hidden columns are left
    out; they come last among the columns.
    """
    numeric = [c.name for c in spec.inputs if not c.is_category]
    parts = []
    if numeric:
        # float64 until the mean is subtracted: float32 would round a timestamp too much
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
        seen = np.concatenate([np.ones(encoder.mean.shape[1]), encoder.seen[0].numpy()])
        seen = seen if encoder.visible is None else seen[encoder.visible.numpy()]
        x = graph.add("Mul", x, graph.constant(seen, np.float32))
    return graph.add("Unsqueeze", x, graph.constant([0], np.int64))
