"""A trained network as an ONNX model that takes the raw columns of a table.

Its inputs are those columns, `[N, 1]` each: numbers as float64, dates as days since 1970, text as strings; NaN and ""
are missing values. Its outputs are in the units of the targets. What `predict` does lies inside: imputing, scaling and
one-hot by ai.onnx and ai.onnx.ml operators that are put together here, the network as torch traces it, probabilities
and units again by hand.

Needs the packages of the extra `export`; importing this module without them raises RequestError.
"""

from mtlrun.runs.export.model_file import Exported, export

__all__ = ["Exported", "export"]
